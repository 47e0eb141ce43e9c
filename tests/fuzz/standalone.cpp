// Runs a fuzz target without libFuzzer: over the inputs of a corpus, then over mutations of them that are the same each time.
//
//     fuzz_policy [--rounds N] [--seed N] [--longest BYTES] [--dictionary FILE] FILE|FOLDER...
//
// An input that makes the target abort is left as ./crash-input.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <vector>

#include "target.h"

namespace {

const std::string* running = nullptr;

extern "C" void leave_input(int number) {
    const int file = open("crash-input", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    if (file >= 0 && running != nullptr && write(file, running->data(), running->size()) >= 0) {
        constexpr char text[] = "the input is in ./crash-input\n";
        static_cast<void>(!write(STDERR_FILENO, text, sizeof text - 1));
    }
    std::signal(number, SIG_DFL);
    std::raise(number);
}

std::string contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The words of a dictionary as libFuzzer has them: name="word" with \" \\ and \xNN, one a line.
std::vector<std::string> words_of(const std::string& path) {
    std::vector<std::string> words;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const std::size_t begin = line.find('"');
        const std::size_t end = line.rfind('"');
        if (line.starts_with('#') || begin == std::string::npos || end == begin) continue;
        std::string word;
        for (std::size_t i = begin + 1; i < end; ++i) {
            if (line[i] != '\\') {
                word += line[i];
            } else if (line[i + 1] == 'x') {
                word += static_cast<char>(std::stoi(line.substr(i + 2, 2), nullptr, 16));
                i += 3;
            } else {
                word += line[++i];
            }
        }
        words.push_back(word);
    }
    return words;
}

class Mutator {
public:
    Mutator(std::uint64_t seed, std::vector<std::string> words, const std::vector<std::string>& inputs)
        : random_(seed), words_(std::move(words)), inputs_(inputs) {}

    std::string next() {
        std::string input = inputs_[below(inputs_.size())];
        for (std::size_t i = 0, changes = 1 + below(5); i < changes; ++i) change(input);
        return input;
    }

private:
    std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }

    void change(std::string& input) {
        const std::size_t at = below(input.size() + 1);
        const std::size_t length = std::min(input.size() - at, 1 + below(below(8) == 0 ? 200 : 8));
        switch (below(7)) {
            case 0:
                if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
                break;
            case 1:
                if (at < input.size()) input[at] = static_cast<char>(random_());
                break;
            case 2: input.erase(at, length); break;
            case 3: input.insert(below(input.size() + 1), input.substr(at, length)); break;
            case 4: {
                const std::string& other = inputs_[below(inputs_.size())];
                const std::size_t from = below(other.size() + 1);
                input.insert(at, other.substr(from, 1 + below(100)));
                break;
            }
            case 5:
                if (!words_.empty()) input.replace(at, below(2) == 0 ? 0 : length, words_[below(words_.size())]);
                break;
            case 6:
                if (below(8) == 0) input.resize(at);
                break;
            default: break;
        }
    }

    std::mt19937_64 random_;
    std::vector<std::string> words_;
    const std::vector<std::string>& inputs_;
};

void run(const std::string& input) {
    running = &input;
    // A copy of its own, so that a read beyond its end is seen.
    const std::vector<std::uint8_t> bytes(input.begin(), input.end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    running = nullptr;
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t rounds = 0;
    std::size_t longest = 8192;
    std::uint64_t seed = 1;
    std::vector<std::string> words;
    std::vector<std::string> inputs;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        const std::string value = i + 1 < argc ? argv[i + 1] : "";
        if (word.starts_with("--")) ++i;
        if (word == "--rounds") {
            rounds = std::stoul(value);
        } else if (word == "--seed") {
            seed = std::stoull(value);
        } else if (word == "--longest") {
            longest = std::stoul(value);
        } else if (word == "--dictionary") {
            words = words_of(value);
        } else if (std::filesystem::is_directory(word)) {
            std::vector<std::filesystem::path> paths;
            for (const auto& entry : std::filesystem::directory_iterator(word)) paths.push_back(entry.path());
            std::ranges::sort(paths);
            for (const auto& path : paths) inputs.push_back(contents(path));
        } else if (std::filesystem::is_regular_file(word)) {
            inputs.push_back(contents(word));
        } else {
            std::cerr << "there is no " << word << '\n';
            return 2;
        }
    }
    if (inputs.empty()) {
        std::cerr << "no inputs\n";
        return 2;
    }
    for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(number, leave_input);
    for (const std::string& input : inputs) run(input);
    Mutator mutator(seed, words, inputs);
    for (std::size_t i = 0; i < rounds; ++i) {
        std::string input = mutator.next();
        if (input.size() > longest) input.resize(longest);
        run(input);
    }
    std::cout << inputs.size() << " inputs, " << words.size() << " words, " << rounds << " mutations\n";
    return 0;
}
