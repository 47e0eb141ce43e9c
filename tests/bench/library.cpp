// library: hands a file to libnftables as it is, once: `library text|json FILE`. Entry point main().
#include <nftables/libnftables.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

int main(int argc, char** argv) {
    if (argc != 3 || (std::strcmp(argv[1], "text") != 0 && std::strcmp(argv[1], "json") != 0)) {
        std::fputs("usage: library text|json FILE\n", stderr);
        return 2;
    }
    std::ifstream file(argv[2], std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const std::unique_ptr<nft_ctx, void (*)(nft_ctx*)> nft(nft_ctx_new(NFT_CTX_DEFAULT), nft_ctx_free);
    if (std::strcmp(argv[1], "json") == 0) nft_ctx_output_set_flags(nft.get(), NFT_CTX_OUTPUT_JSON);
    return nft_run_cmd_from_buffer(nft.get(), text.c_str()) == 0 ? 0 : 1;
}
