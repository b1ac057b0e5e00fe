// Text as a JSON string.
#pragma once
#include <string>

#include "printable.h"

namespace replay {

inline std::string json_string(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n' || c == '\t')
      quoted += c == '\n' ? "\\n" : "\\t";
    else
      quoted += c;
  }
  return printable(quoted) + "\"";
}

}  // namespace replay
