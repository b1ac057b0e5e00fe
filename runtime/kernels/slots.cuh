// Rows of a step and their slots. Both are settled before a launch: only its last node writes slots.
// C: int slot_bytes, from a slot to the next.
#pragma once
#include "device.h"
#include "state.h"
#include "step.h"

namespace realizar {

// Of a slot, by the same of the first one.
template <class C, class T>
DEVICE T* of_slot(T* first, int slot) {
  return (T*)((uint64_t)first + (uint64_t)slot * C::slot_bytes);
}
template <class C>
DEVICE int row_token(const Row* row, const State* slots) {
  const int token = load_settled(&row->token);
  return token == take_slots ? load_settled(&of_slot<C>(slots, load_settled(&row->slot))->token) : token;
}
template <class C>
DEVICE int settled_position(int position, int slot, const State* slots) {
  return position == take_slots ? load_settled(&of_slot<C>(slots, slot)->position) : position;
}

}  // namespace realizar
