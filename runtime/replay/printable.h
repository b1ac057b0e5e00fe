// Text that may hold anything, for a terminal or a log: names from a model's file, paths, what the driver says.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace replay {

struct Utf8 {
  uint32_t code = 0;
  size_t length = 0;  // 0: no character begins there
};

inline Utf8 utf8_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return at + i < text.size() ? uint8_t(text[at + i]) : 0u; };
  const uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t length = first >= 0xf0 && first < 0xf5   ? 4
                        : first >= 0xe0 && first < 0xf0 ? 3
                        : first >= 0xc2 && first < 0xe0 ? 2
                                                        : 0;
  if (length == 0) return {};
  uint32_t code = first & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; i++) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  return code < least[length] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff ? Utf8{} : Utf8{code, length};
}

// Those of runtime/common/printable.ts: C0 but tab and line feed, DEL, C1, directions of text, and what has no width.
inline bool is_printable(uint32_t code) {
  const auto in = [&](uint32_t first, uint32_t last) { return code >= first && code <= last; };
  if (code == '\t' || code == '\n') return true;
  return !(in(0, 0x1f) || in(0x7f, 0x9f) || code == 0x61c || in(0x200b, 0x200f) || in(0x2028, 0x202e) ||
           in(0x2060, 0x206f) || code == 0xfeff);
}

// Escapes are JSON's; bytes that are no UTF-8 become U+FFFD.
inline std::string printable(std::string_view text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const Utf8 found = utf8_at(text, at);
    char escaped[12];
    snprintf(escaped, sizeof escaped, "\\u%04x", found.code);
    if (found.length == 0)
      result += "\xef\xbf\xbd";
    else
      result += is_printable(found.code) ? std::string(text.substr(at, found.length)) : escaped;
    at += found.length == 0 ? 1 : found.length;
  }
  return result;
}

// Of an error: less than 2 kB, what is too much cut out of its middle.
inline std::string shorten(const std::string& text) {
  constexpr size_t longest = 1980, start = 1400, end = 500;
  if (text.size() <= longest) return text;
  const std::string left_out = " ... " + std::to_string(text.size() - start - end) + " bytes left out ... ";
  return printable(text.substr(0, start)) + left_out + printable(text.substr(text.size() - end));
}

}  // namespace replay
