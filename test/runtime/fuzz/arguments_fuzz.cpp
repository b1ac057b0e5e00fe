// replay's command line, an argument a line: options, or a refusal that can be printed.
#include <sstream>
#include <string>
#include <vector>

#include "../../../runtime/replay/printable.h"
#include "../../../runtime/replay/replay.h"
#include "bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::istringstream lines(std::string(reinterpret_cast<const char*>(data), size));
  std::vector<std::string> words = {"replay"};
  for (std::string word; std::getline(lines, word);) words.push_back(word.substr(0, word.find('\0')));
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  try {
    const replay::Options options = replay::parse_options(int(words.size()), arguments.data());
    REQUIRE(options.help || !options.model.empty());
    for (const int32_t token : options.tokens) REQUIRE(token >= 0);
  } catch (const replay::UsageError& error) {
    const std::string text = replay::shorten(replay::printable(error.what()));
    REQUIRE(text.size() < 2048);
    for (size_t at = 0; at < text.size();) {
      const replay::Utf8 found = replay::utf8_at(text, at);
      REQUIRE(found.length > 0 && replay::is_printable(found.code));
      at += found.length;
    }
  }
  return 0;
}
