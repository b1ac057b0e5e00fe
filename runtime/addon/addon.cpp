// The Node addon: opens libraries built by realizar-compile and calls their C ABI (realizar.h).
// library: dlopen and the function table. owners: lifetimes. task, generation, engine: work off the event loop. model,
// session, native_engine: the classes.
#include "wrap.h"

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* classes = new addon::Classes;  // freed with the environment
  classes->model = Napi::Persistent(addon::Model::define(env));
  classes->session = Napi::Persistent(addon::Session::define(env));
  classes->engine = Napi::Persistent(addon::Engine::define(env));
  env.SetInstanceData(classes);
  exports.Set("open", Napi::Function::New(env, addon::Model::open, "open"));
  return exports;
}

NODE_API_MODULE(realizar, init)

}  // namespace
