#include "event_arrays.h"

#include "task.h"

namespace addon {
namespace {

// Numbers of an event, in the order in which event_batch.ts reads them.
constexpr size_t n_number = 8;

void pack(const realizar_event& event, double* numbers) {
  const double packed[n_number] = {double(event.request), double(event.index),   double(event.kind),
                                   double(event.token),   double(event.logprob), double(event.n_top),
                                   double(event.end),     double(event.n_cached)};
  std::copy_n(packed, n_number, numbers);
}

}  // namespace

std::vector<napi_value> event_arguments(Napi::Env env, const EventBatch& batch, const Library& library) {
  if (batch.failure) return {env.Undefined(), env.Undefined(), env.Undefined(), to_error(env, *batch.failure)};
  const realizar_events& events = *batch.events;
  size_t n_top = 0;
  for (uint32_t i = 0; i < events.n_event; i++) n_top += events.events[i].n_top;
  auto numbers = Napi::Float64Array::New(env, n_number * events.n_event);
  auto tokens = Napi::Int32Array::New(env, n_top);
  auto logprobs = Napi::Float32Array::New(env, n_top);
  auto errors = Napi::Array::New(env);
  for (uint32_t i = 0, top = 0, error = 0; i < events.n_event; i++) {
    const realizar_event& event = events.events[i];
    pack(event, numbers.Data() + n_number * i);
    for (uint32_t j = 0; j < event.n_top; j++, top++)
      tokens[top] = event.top[j].token, logprobs[top] = event.top[j].logprob;
    if (event.kind == REALIZAR_EVENT_END && event.end == REALIZAR_END_ERROR)
      errors[error++] = to_error(env, {event.status, library.status_name(event.status), event.message});
  }
  return {numbers, tokens, logprobs, errors};
}

}  // namespace addon
