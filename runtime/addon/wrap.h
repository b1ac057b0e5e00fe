// The JavaScript classes over the handles. They trust their arguments: index.ts and its neighbours check them first.
#pragma once
#include <napi.h>

#include "engine.h"
#include "owners.h"

namespace addon {

class Model : public Napi::ObjectWrap<Model> {
 public:
  static Napi::Function define(Napi::Env env);
  // open(library path, GGUF path, device, order seed, poison, progress or undefined): promise of a Model
  static Napi::Value open(const Napi::CallbackInfo& info);
  explicit Model(const Napi::CallbackInfo& info);

 private:
  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value device_name(const Napi::CallbackInfo& info);
  // kvReadBytes(positions)
  Napi::Value kv_read_bytes(const Napi::CallbackInfo& info);
  Napi::Value open_session(const Napi::CallbackInfo& info);
  // openEngine(arguments of Engine::open)
  Napi::Value open_engine(const Napi::CallbackInfo& info);
  Napi::Value measure_read_ceiling(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<ModelHandle> handle_;  // null once closed
};

class Session : public Napi::ObjectWrap<Session> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Session(const Napi::CallbackInfo& info);

 private:
  Napi::Value build_graph(const Napi::CallbackInfo& info);
  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value run_greedy(const Napi::CallbackInfo& info);
  // setSampling(parameters as sampling.ts has them)
  Napi::Value set_sampling(const Napi::CallbackInfo& info);
  // generate(prompt, count, stop, mode, on token): promise of nothing, after the last call of on token
  Napi::Value generate(const Napi::CallbackInfo& info);
  Napi::Value stop_generating(const Napi::CallbackInfo& info);
  Napi::Value logits(const Napi::CallbackInfo& info);
  Napi::Value chosen(const Napi::CallbackInfo& info);
  Napi::Value greedy(const Napi::CallbackInfo& info);
  Napi::Value position(const Napi::CallbackInfo& info);
  Napi::Value rewind(const Napi::CallbackInfo& info);
  Napi::Value dump_nodes(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<SessionHandle> handle_;  // null once closed
};

class Engine : public Napi::ObjectWrap<Engine> {
 public:
  static Napi::Function define(Napi::Env env);
  // (sequences, context, KV memory, deterministic, on events): promise of an Engine
  static Napi::Value open(const Napi::CallbackInfo& info, std::shared_ptr<ModelHandle> model);
  explicit Engine(const Napi::CallbackInfo& info);
  ~Engine() override;

 private:
  EngineHandle& open_handle(Napi::Env env);
  // submit(prompt, most tokens, sequences, stop, log probabilities, of the prompt too, priority, parameters as
  // sampling.ts has them): the request's number. This and the next two throw, and do not wait.
  Napi::Value submit(const Napi::CallbackInfo& info);
  void cancel(const Napi::CallbackInfo& info);
  void set_mask(const Napi::CallbackInfo& info);
  Napi::Value statistics(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<EngineHandle> handle_;  // null once closed
};

// One per environment (worker threads load the addon again).
struct Classes {
  Napi::FunctionReference model, session, engine;
};

// A new object of a class, which takes over the handle.
template <typename Handle>
Napi::Value wrap(Napi::Env env, Napi::FunctionReference& type, std::shared_ptr<Handle> handle) {
  return type.New({Napi::External<std::shared_ptr<Handle>>::New(env, &handle)});
}
template <typename Handle>
std::shared_ptr<Handle> unwrap(const Napi::CallbackInfo& info) {
  if (!info[0].IsExternal())
    throw Napi::TypeError::New(info.Env(), "only open(), openSession() and openEngine() make these");
  return *info[0].As<Napi::External<std::shared_ptr<Handle>>>().Data();
}

}  // namespace addon
