#include <memory>

#include "arguments.h"
#include "engine.h"
#include "task.h"
#include "wrap.h"

namespace addon {
namespace {

void check(Napi::Env env, const Library& library, int status) {
  try {
    library.check(status);
  } catch (const Failure& failure) {
    throw Napi::Error(env, to_error(env, failure));
  }
}

Napi::Object to_object(Napi::Env env, const realizar_engine_statistics& s) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("sequences", s.n_sequence);
  out.Set("context", s.n_ctx);
  out.Set("running", s.n_running);
  out.Set("waiting", s.n_waiting);
  out.Set("pages", s.n_page);
  out.Set("windowPages", s.n_window_page);
  out.Set("freePages", s.n_free_page);
  out.Set("freeWindowPages", s.n_free_window_page);
  out.Set("cachedPages", s.n_cached_page);
  out.Set("kvBytes", double(s.kv_bytes));
  out.Set("steps", double(s.n_step));
  out.Set("rows", double(s.n_row));
  out.Set("preemptions", double(s.n_preemption));
  out.Set("promptTokens", double(s.n_prompt_token));
  out.Set("prefixHitTokens", double(s.n_prefix_hit_token));
  out.Set("chosenTokens", double(s.n_chosen_token));
  return out;
}

}  // namespace

Napi::Function Engine::define(Napi::Env env) {
  return DefineClass(env, "NativeEngine",
                     {InstanceMethod<&Engine::submit>("submit"), InstanceMethod<&Engine::cancel>("cancel"),
                      InstanceMethod<&Engine::set_mask>("setMask"), InstanceMethod<&Engine::statistics>("statistics"),
                      InstanceMethod<&Engine::close>("close")});
}

Napi::Value Engine::open(const Napi::CallbackInfo& info, std::shared_ptr<ModelHandle> model) {
  realizar_engine_options options{};
  options.struct_size = sizeof options;
  options.n_sequence = info[0].As<Napi::Number>();
  options.n_ctx = info[1].As<Napi::Number>();
  options.kv_bytes = uint64_t(info[2].As<Napi::Number>().DoubleValue());
  options.deterministic = info[3].As<Napi::Boolean>().Value();
  auto on_events = std::make_shared<Napi::FunctionReference>(Napi::Persistent(info[4].As<Napi::Function>()));
  auto opened = std::make_shared<std::shared_ptr<EngineHandle>>();
  return Task::start(
      info.Env(),
      [model, options, opened] {
        realizar_engine* engine = nullptr;
        model->library.check(model->library.engine_open(model->model, &options, &engine));
        *opened = std::make_shared<EngineHandle>(model, engine);
      },
      [on_events, opened](Napi::Env env) {
        (*opened)->listen(env, on_events->Value());
        return wrap(env, env.GetInstanceData<Classes>()->engine, std::move(*opened));
      });
}

Engine::Engine(const Napi::CallbackInfo& info) : ObjectWrap(info), handle_(unwrap<EngineHandle>(info)) {}

Engine::~Engine() {
  if (handle_) handle_->close();
}

EngineHandle& Engine::open_handle(Napi::Env env) {
  if (!handle_) throw Napi::Error(env, to_error(env, closed("the engine")));
  return *handle_;
}

Napi::Value Engine::submit(const Napi::CallbackInfo& info) {
  EngineHandle& engine = open_handle(info.Env());
  const std::vector<int32_t> tokens = token_list(info[0]), stop = token_list(info[3]);
  const PackedSampling sampling(info, 9, engine.library());
  realizar_request request{};
  request.struct_size = sizeof request;
  request.tokens = tokens.data(), request.n_token = uint32_t(tokens.size());
  request.max_tokens = info[1].As<Napi::Number>();
  request.n_sequence = info[2].As<Napi::Number>();
  request.stop = stop.data(), request.n_stop = uint32_t(stop.size());
  request.n_logprob = info[4].As<Napi::Number>();
  request.prompt_logprobs = info[5].As<Napi::Boolean>().Value();
  request.priority = info[6].As<Napi::Number>();
  request.constrained = info[7].As<Napi::Boolean>().Value();
  request.mask_milliseconds = info[8].As<Napi::Number>();
  request.sampling = sampling.get();
  uint64_t id = 0;
  check(info.Env(), engine.library(), engine.library().engine_submit(engine.get(), &request, &id));
  engine.await_ends(info.Env(), request.n_sequence);
  return Napi::Number::New(info.Env(), double(id));
}

void Engine::cancel(const Napi::CallbackInfo& info) {
  EngineHandle& engine = open_handle(info.Env());
  const auto id = uint64_t(info[0].As<Napi::Number>().DoubleValue());
  const Library& library = engine.library();
  check(info.Env(), library,
        info[1].IsUndefined() ? library.engine_cancel(engine.get(), id)
                              : library.engine_cancel_sequence(engine.get(), id, info[1].As<Napi::Number>()));
}

void Engine::set_mask(const Napi::CallbackInfo& info) {
  EngineHandle& engine = open_handle(info.Env());
  const auto words = info[3].As<Napi::Uint32Array>();
  check(info.Env(), engine.library(),
        engine.library().engine_set_mask(engine.get(), uint64_t(info[0].As<Napi::Number>().DoubleValue()),
                                         info[1].As<Napi::Number>(), info[2].As<Napi::Number>(), words.Data(),
                                         uint32_t(words.ElementLength())));
}

Napi::Value Engine::statistics(const Napi::CallbackInfo& info) {
  EngineHandle& engine = open_handle(info.Env());
  realizar_engine_statistics statistics{};
  statistics.struct_size = sizeof statistics;
  check(info.Env(), engine.library(), engine.library().engine_get_statistics(engine.get(), &statistics));
  return to_object(info.Env(), statistics);
}

Napi::Value Engine::close(const Napi::CallbackInfo& info) {
  if (handle_) handle_->await_nothing(info.Env());
  return Task::start(info.Env(), [handle = std::move(handle_)] {
    if (handle) handle->close();
  });
}

}  // namespace addon
