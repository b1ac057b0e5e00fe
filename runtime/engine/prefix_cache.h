// What pages of KV cache hold, so that sequences which begin alike share them. No device work.
//
// A tree. A node is a page's worth of tokens that follow its parent's; fewer only where a sequence has ended. It has a
// page of each kind, the one of layers with a window as long as nobody else needs that. Children are sorted by their
// tokens: one is found by all of them, never by a hash alone, and next to where others would stand is the child that
// begins most like them.
//
// Who has a node's page also has those of its parents, and gives them back after it. So a page that is evicted, the
// longest unused one, has no children any more.
#pragma once
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "../pages.h"

namespace realizar {

class PrefixCache {
  struct Node;

 public:
  // window: 0 where the model has no layers with one.
  PrefixCache(PagePool& pages, PagePool& window_pages, uint32_t window);
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;
  ~PrefixCache();

  // A running sequence: its first n_page pages are those of a node and its parents.
  class Place {
    friend PrefixCache;
    void move_to(Node* node);
    Node* node = nullptr;  // null: the root
    uint32_t n_page = 0;
    // Tokens that computed() was told of, now and the time before: steps that are queued compute the latter.
    uint32_t n_told = 0, n_launched = 0;
  };
  struct Copy {
    uint32_t from, to;
  };
  struct Adopted {
    uint32_t n_position = 0;
    // Where the last page is not shared, since only its beginning is wanted: what to copy, of each kind.
    std::optional<Copy> copy = {}, window_copy = {};
  };

  // The longest beginning of `tokens`, but for the last of them, that pages hold: they are shared into the tables,
  // which are empty. Beyond whole pages the beginning of one is copied, where a page is available for that.
  Adopted adopt(std::span<const int32_t> tokens, PageTables& tables, Place& place);
  // Pages of layers that see all positions which adopt() would share with running sequences.
  uint32_t n_in_use(std::span<const int32_t> tokens) const;
  // Once a step that the sequence is in: the step, or those before it, compute all of `tokens`, its first ones. Whole
  // pages become nodes; where there is one already its page takes the sequence's own one's place. Returns the first of
  // the tables' entries that have changed; none: none has.
  std::optional<uint32_t> computed(std::span<const int32_t> tokens, PageTables& tables, Place& place);
  // All steps that have been composed are queued. Pages may be copied only then: a copy is queued before what follows.
  void launched() { now_++; }
  // The sequence gives its pages back. `tokens`: as computed()'s, of queued steps; the last page is kept too.
  void release(std::span<const int32_t> tokens, PageTables& tables, Place& place);

 private:
  using Tokens = std::span<const int32_t>;
  enum Kind { all, window };
  static constexpr uint32_t no_page = ~0u;

  static Tokens tokens_of(const std::unique_ptr<Node>& node);
  static Tokens tokens_of(Tokens tokens) { return tokens; }
  struct ByTokens {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return std::ranges::lexicographical_compare(tokens_of(a), tokens_of(b));
    }
  };
  using Children = std::set<std::unique_ptr<Node>, ByTokens>;
  struct Node {
    Node* parent = nullptr;
    std::vector<int32_t> tokens = {};
    std::array<uint32_t, 2> pages = {no_page, no_page};
    uint32_t n_place = 0;      // sequences that are at this node
    uint64_t composed_at = 0;  // launches before the step that computes it
    Children children = {};
  };
  struct Tail {
    Node* node = nullptr;
    uint32_t n_token = 0;
  };

  std::vector<Node*> path_of(Tokens tokens) const;
  static Node* find(const Node& parent, Tokens tokens);
  bool is_whole(const Node& node) const;
  bool reaches(std::span<Node* const> path, uint32_t position) const;
  Tail find_tail(const Node& parent, Tokens tokens) const;
  void share(std::span<Node* const> path, uint32_t position, PageTables& tables, Place& place);
  bool copy_tail(Node& tail, uint32_t n_position, PageTables& tables, Adopted& adopted);
  bool extend(Tokens tokens, bool queued, PageTables& tables, Place& place);
  void keep_last(Tokens tokens, PageTables& tables, const Place& place);
  Node& add(Node& parent, Tokens tokens, uint32_t index, PageTables& tables);
  bool join(Node& node, uint32_t index, PageTables& tables);
  void hold(Node& node, Kind kind, uint32_t page);
  void evicted(Kind kind, uint32_t page);
  void prune(Node* node);
  void erase(Node& node);
  Node& node_at(const Place& place) { return place.node ? *place.node : root_; }
  static std::array<PageTable*, 2> tables_of(PageTables& tables) { return {&tables.all, &tables.window}; }

  const std::array<PagePool*, 2> pools_;
  const uint32_t window_;
  std::array<std::vector<Node*>, 2> nodes_;  // by page, of those that are kept
  Node root_;
  uint64_t now_ = 1;  // launches so far, and 1
};

}  // namespace realizar
