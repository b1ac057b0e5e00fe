#include "prefix_cache.h"

#include <algorithm>
#include <utility>

#include "../kernels/state.h"

namespace realizar {
namespace {

uint32_t common_beginning(std::span<const int32_t> a, std::span<const int32_t> b) {
  return uint32_t(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

PrefixCache::PrefixCache(PagePool& pages, PagePool& window_pages, uint32_t window_positions)
    : pools_{&pages, &window_pages}, window_(window_positions) {
  for (const Kind kind : {all, window}) {
    nodes_[kind].resize(pools_[kind]->total());
    pools_[kind]->on_evict([this, kind](uint32_t page) { evicted(kind, page); });
  }
}

// From the leaves on: a tree is as deep as a context is long.
PrefixCache::~PrefixCache() {
  for (Node* node = &root_; node != &root_ || !node->children.empty();) {
    if (!node->children.empty()) {
      node = node->children.begin()->get();
    } else {
      node = node->parent;
      node->children.erase(node->children.begin());
    }
  }
}

PrefixCache::Tokens PrefixCache::tokens_of(const std::unique_ptr<Node>& node) { return node->tokens; }

// ------------------------------------------------------------------ a sequence begins

PrefixCache::Adopted PrefixCache::adopt(Tokens tokens, PageTables& tables, Place& place) {
  if (tokens.empty()) return {};
  std::vector<Node*> path = path_of(tokens);
  const Tokens rest = tokens.first(tokens.size() - 1).subspan(path.size() * kv_page_positions);
  const Tail tail =
      find_tail(path.empty() ? root_ : *path.back(), rest.first(std::min<size_t>(rest.size(), kv_page_positions)));
  Adopted adopted = {.n_position = uint32_t(path.size()) * kv_page_positions + tail.n_token};
  if (tail.node && reaches(path, adopted.n_position)) {
    share(path, adopted.n_position, tables, place);
    if (copy_tail(*tail.node, adopted.n_position, tables, adopted)) return adopted;
    tables.clear();
  }
  const auto end = [&] { return uint32_t(path.size()) * kv_page_positions; };
  while (!reaches(path, end())) path.pop_back();
  share(path, end(), tables, place);
  return {.n_position = end()};
}

uint32_t PrefixCache::n_in_use(Tokens tokens) const {
  if (pools_[all]->total() == 0) return 0;
  return uint32_t(
      std::ranges::count_if(path_of(tokens), [&](const Node* node) { return pools_[all]->in_use(node->pages[all]); }));
}

// Nodes whose pages are wholly in what comes before the last token.
std::vector<PrefixCache::Node*> PrefixCache::path_of(Tokens tokens) const {
  std::vector<Node*> path;
  const Node* last = &root_;
  for (; tokens.size() > kv_page_positions; tokens = tokens.subspan(kv_page_positions)) {
    Node* const next = find(*last, tokens.first(kv_page_positions));
    if (!next) break;
    path.push_back(next);
    last = next;
  }
  return path;
}

PrefixCache::Node* PrefixCache::find(const Node& parent, Tokens tokens) {
  const auto at = parent.children.find(tokens);
  return at == parent.children.end() ? nullptr : at->get();
}

// Whether the nodes have all that rows from the position on see; at least as far as the path goes.
bool PrefixCache::reaches(std::span<Node* const> path, uint32_t position) const {
  if (pools_[window]->total() == 0) return true;
  const size_t first = std::min<size_t>(first_in_window(position, window_) / kv_page_positions, path.size());
  return std::ranges::all_of(path.subspan(first), [](const Node* node) { return node->pages[window] != no_page; });
}

bool PrefixCache::is_whole(const Node& node) const {
  return std::ranges::all_of(std::array{all, window},
                             [&](Kind kind) { return pools_[kind]->total() == 0 || node.pages[kind] != no_page; });
}

// The child whose page has the most of these tokens. Going away from where they would stand, children have fewer and
// fewer in common with them.
PrefixCache::Tail PrefixCache::find_tail(const Node& parent, Tokens tokens) const {
  auto after = parent.children.lower_bound(tokens), before = after;
  const auto has = [&](const auto& at) { return common_beginning(tokens, at->get()->tokens); };
  while (true) {
    const uint32_t n_after = after == parent.children.end() ? 0 : has(after);
    const uint32_t n_before = before == parent.children.begin() ? 0 : has(std::prev(before));
    const uint32_t n = std::max(n_after, n_before);
    if (n == 0) return {};
    Node& node = n_after == n ? **after++ : **--before;
    if (is_whole(node) && node.composed_at != now_) return {&node, n};
  }
}

// A sequence goes on from the position after these nodes.
void PrefixCache::share(std::span<Node* const> path, uint32_t position, PageTables& tables, Place& place) {
  const uint32_t first = std::min(first_in_window(position, window_) / kv_page_positions, uint32_t(path.size()));
  for (const Kind kind : {all, window}) {
    PageTable& table = *tables_of(tables)[kind];
    if (!table.has_kind()) continue;
    std::vector<uint32_t> pages;
    // Nobody looks where a page is gone, but an entry is always that of a page.
    for (const Node* node : path) pages.push_back(node->pages[kind] == no_page ? 0 : node->pages[kind]);
    table.adopt(pages, kind == window ? first : 0);
  }
  place.move_to(path.empty() ? nullptr : path.back());
  place.n_page = uint32_t(path.size());
}

// A page of each kind for the positions up to this one, with what the tail has. false: there is none for them.
bool PrefixCache::copy_tail(Node& tail, uint32_t n_position, PageTables& tables, Adopted& adopted) {
  bool has_room = true;
  // What is copied is not what is evicted for its copy.
  for (const Kind kind : {all, window})
    if (tail.pages[kind] != no_page) {
      pools_[kind]->share(tail.pages[kind]);
      has_room = has_room && pools_[kind]->available() > 0;
    }
  for (const Kind kind : {all, window}) {
    if (tail.pages[kind] == no_page) continue;
    PageTable& table = *tables_of(tables)[kind];
    if (has_room) {
      table.grow(n_position);
      (kind == all ? adopted.copy : adopted.window_copy) = Copy{tail.pages[kind], table.entries().back()};
    }
    pools_[kind]->release(tail.pages[kind]);
  }
  return has_room;
}

// ------------------------------------------------------------------ it goes on, and ends

std::optional<uint32_t> PrefixCache::computed(Tokens tokens, PageTables& tables, Place& place) {
  place.n_launched = std::exchange(place.n_told, uint32_t(tokens.size()));
  const uint32_t first = place.n_page;
  return extend(tokens, false, tables, place) ? std::optional(first) : std::nullopt;
}

void PrefixCache::release(Tokens tokens, PageTables& tables, Place& place) {
  if (!tokens.empty()) {
    extend(tokens, true, tables, place);
    keep_last(tokens.subspan(size_t(place.n_page) * kv_page_positions), tables, place);
  }
  tables.clear();
  Node* const node = place.node;
  place.move_to(nullptr);
  place = {};
  if (node) prune(node);
}

// queued: all steps that compute the tokens. Else the step in the making may write a page, which then stays the
// sequence's until the next call. Returns whether entries have changed.
bool PrefixCache::extend(Tokens tokens, bool queued, PageTables& tables, Place& place) {
  bool changed = false;
  for (uint32_t end; (end = (place.n_page + 1) * kv_page_positions) <= tokens.size(); place.n_page++) {
    const Tokens own = tokens.subspan(end - kv_page_positions, kv_page_positions);
    Node* node = find(node_at(place), own);
    if (!node) {
      node = &add(node_at(place), own, place.n_page, tables);
      node->composed_at = queued ? 0 : now_;
    } else {
      if (!queued && end > place.n_launched) break;
      changed |= join(*node, place.n_page, tables);
    }
    place.move_to(node);
  }
  return changed;
}

// The tokens that do not fill a page, unless a child begins with them.
void PrefixCache::keep_last(Tokens tokens, PageTables& tables, const Place& place) {
  if (tokens.empty()) return;
  for (const PageTable* table : tables_of(tables))
    if (table->has_kind() && !table->holds(place.n_page)) return;
  Node& parent = node_at(place);
  const auto after = parent.children.lower_bound(tokens);
  if (after == parent.children.end() || common_beginning(tokens, (*after)->tokens) < tokens.size())
    add(parent, tokens, place.n_page, tables);
}

// With the sequence's own pages. The child before it is all a beginning of it, or none is.
PrefixCache::Node& PrefixCache::add(Node& parent, Tokens tokens, uint32_t index, PageTables& tables) {
  const auto after = parent.children.lower_bound(tokens);
  if (after != parent.children.begin())
    if (Node& before = **std::prev(after); common_beginning(tokens, before.tokens) == before.tokens.size())
      erase(before);
  auto node = std::make_unique<Node>(Node{.parent = &parent, .tokens = {tokens.begin(), tokens.end()}});
  for (const Kind kind : {all, window})
    if (const PageTable& table = *tables_of(tables)[kind]; table.holds(index))
      hold(*node, kind, table.entries()[index]);
  return **parent.children.insert(after, std::move(node));
}

// The sequence's pages become the node's where that has none, the node's the sequence's where it has. Returns whether
// the sequence has others now.
bool PrefixCache::join(Node& node, uint32_t index, PageTables& tables) {
  bool changed = false;
  for (const Kind kind : {all, window}) {
    PageTable& table = *tables_of(tables)[kind];
    if (!table.holds(index) || table.entries()[index] == node.pages[kind]) continue;
    if (node.pages[kind] == no_page) {
      hold(node, kind, table.entries()[index]);
    } else {
      table.replace(index, node.pages[kind]);
      changed = true;
    }
  }
  return changed;
}

void PrefixCache::hold(Node& node, Kind kind, uint32_t page) {
  node.pages[kind] = page;
  nodes_[kind][page] = &node;
  pools_[kind]->keep(page);
}

void PrefixCache::Place::move_to(Node* to) {
  if (to) to->n_place++;
  if (node) node->n_place--;
  node = to;
}

// ------------------------------------------------------------------ nodes go

void PrefixCache::evicted(Kind kind, uint32_t page) {
  Node* const node = nodes_[kind][page];
  node->pages[kind] = no_page;
  prune(node);
}

// Nodes that end nothing any more: nobody can adopt them, and nothing comes after them.
void PrefixCache::prune(Node* node) {
  while (node != &root_ && node->children.empty() && node->n_place == 0 && !is_whole(*node)) {
    Node* const parent = node->parent;
    erase(*node);
    node = parent;
  }
}

void PrefixCache::erase(Node& node) {
  for (const Kind kind : {all, window})
    if (node.pages[kind] != no_page) pools_[kind]->forget(node.pages[kind]);
  Children& children = node.parent->children;
  children.erase(children.find(Tokens(node.tokens)));
}

}  // namespace realizar
