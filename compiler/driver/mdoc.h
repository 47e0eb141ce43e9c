// The few pieces of mdoc(7) that the manual pages are made of.
#pragma once

#include <string>
#include <string_view>

namespace policyc::mdoc {

// .Dd to NAME.
std::string head(std::string_view title, int section, std::string_view name, std::string_view says);

// Text that neither a macro nor an escape is seen in.
std::string escaped(std::string_view text);

// A sentence on a line of its own.
std::string line(std::string_view sentence);

// The argument of .Fl for a long option: "--to" is "\-to", since .Fl writes the first dash.
std::string flag(std::string_view option);

}  // namespace policyc::mdoc
