// Text as a JSON string.
#pragma once
#include <cstdio>
#include <string>

namespace replay {

inline std::string json_string(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    char escaped[8];
    const unsigned char byte = static_cast<unsigned char>(c);
    snprintf(escaped, sizeof escaped, byte < 0x20 ? "\\u%04x" : byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
    quoted += escaped;
  }
  return quoted + "\"";
}

}  // namespace replay
