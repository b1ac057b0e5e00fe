#include <memory>
#include <string>

#include "arguments.h"
#include "generation.h"
#include "task.h"
#include "wrap.h"

namespace addon {
namespace {

// A typed array that a pool thread may fill while the JavaScript thread keeps it alive and shows it to nobody.
template <typename T>
struct Output {
  using Array = Napi::TypedArrayOf<T>;
  T* data;
  size_t size;

  Output(Napi::Env env, size_t size) : size(size) {
    Array array = Array::New(env, size);
    data = array.Data();
    keep_ = std::make_shared<Napi::Reference<Array>>(Napi::Reference<Array>::New(array, 1));
  }
  Napi::Value value() const { return keep_->Value(); }

 private:
  std::shared_ptr<Napi::Reference<Array>> keep_;
};

}  // namespace

Napi::Function Session::define(Napi::Env env) {
  return DefineClass(
      env, "NativeSession",
      {InstanceMethod<&Session::build_graph>("buildGraph"), InstanceMethod<&Session::step>("step"),
       InstanceMethod<&Session::run_greedy>("runGreedy"), InstanceMethod<&Session::set_sampling>("setSampling"),
       InstanceMethod<&Session::generate>("generate"), InstanceMethod<&Session::stop_generating>("stopGenerating"),
       InstanceMethod<&Session::logits>("logits"), InstanceMethod<&Session::chosen>("chosen"),
       InstanceMethod<&Session::greedy>("greedy"), InstanceMethod<&Session::position>("position"),
       InstanceMethod<&Session::rewind>("rewind"), InstanceMethod<&Session::dump_nodes>("dumpNodes"),
       InstanceMethod<&Session::close>("close")});
}

Session::Session(const Napi::CallbackInfo& info) : ObjectWrap(info), handle_(unwrap<SessionHandle>(info)) {}

Napi::Value Session::build_graph(const Napi::CallbackInfo& info) {
  if (!handle_) return reject(info.Env(), closed("the session"));
  auto nodes = std::make_shared<uint32_t>();
  return Task::start(
      info.Env(),
      [handle = handle_, nodes] {
        handle->call([&](const Library& lib, realizar_session* s) { return lib.graph_build(s, nodes.get()); });
      },
      [nodes](Napi::Env env) { return Napi::Number::New(env, *nodes); });
}

Napi::Value Session::step(const Napi::CallbackInfo& info) {
  if (!handle_) return reject(info.Env(), closed("the session"));
  int32_t token = info[0].As<Napi::Number>();
  int32_t mode = info[1].As<Napi::Number>();
  return Task::start(info.Env(), [handle = handle_, token, mode] {
    handle->call([&](const Library& lib, realizar_session* s) { return lib.session_step(s, token, mode); });
  });
}

Napi::Value Session::run_greedy(const Napi::CallbackInfo& info) {
  if (!handle_) return reject(info.Env(), closed("the session"));
  uint32_t count = info[0].As<Napi::Number>();
  int32_t mode = info[1].As<Napi::Number>();
  Output<int32_t> tokens(info.Env(), count);
  return Task::start(
      info.Env(),
      [handle = handle_, data = tokens.data, count, mode] {
        handle->call(
            [&](const Library& lib, realizar_session* s) { return lib.session_run_greedy(s, count, data, mode); });
      },
      [tokens](Napi::Env) { return tokens.value(); });
}

Napi::Value Session::set_sampling(const Napi::CallbackInfo& info) {
  if (!handle_) return reject(info.Env(), closed("the session"));
  return Task::start(info.Env(), [handle = handle_, packed = PackedSampling(info, 0, handle_->library())] {
    const realizar_sampling sampling = packed.get();
    handle->call([&](const Library& lib, realizar_session* s) { return lib.session_set_sampling(s, &sampling); });
  });
}

Napi::Value Session::generate(const Napi::CallbackInfo& info) {
  if (!handle_) return reject(info.Env(), closed("the session"));
  return Generation::start(info.Env(), handle_,
                           {.prompt = token_list(info[0]),
                            .count = info[1].As<Napi::Number>(),
                            .stop = token_list(info[2]),
                            .mode = info[3].As<Napi::Number>()},
                           info[4].As<Napi::Function>());
}

Napi::Value Session::stop_generating(const Napi::CallbackInfo& info) {
  if (handle_) handle_->stopping = true;
  return info.Env().Undefined();
}

Napi::Value Session::logits(const Napi::CallbackInfo& info) {
  if (!handle_) return reject(info.Env(), closed("the session"));
  Output<float> logits(info.Env(), handle_->library().info->n_vocab);
  return Task::start(
      info.Env(),
      [handle = handle_, data = logits.data, size = logits.size] {
        handle->call([&](const Library& lib, realizar_session* s) { return lib.session_logits(s, data, size); });
      },
      [logits](Napi::Env) { return logits.value(); });
}

static Napi::Value read_token(const Napi::CallbackInfo& info, const std::shared_ptr<SessionHandle>& handle,
                              decltype(&realizar_session_chosen) Library::*read) {
  if (!handle) return reject(info.Env(), closed("the session"));
  auto token = std::make_shared<int32_t>();
  return Task::start(
      info.Env(),
      [handle, token, read] {
        handle->call([&](const Library& lib, realizar_session* s) { return (lib.*read)(s, token.get()); });
      },
      [token](Napi::Env env) { return Napi::Number::New(env, *token); });
}

Napi::Value Session::chosen(const Napi::CallbackInfo& info) {
  return read_token(info, handle_, &Library::session_chosen);
}

Napi::Value Session::greedy(const Napi::CallbackInfo& info) {
  return read_token(info, handle_, &Library::session_greedy);
}

Napi::Value Session::position(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), handle_ ? handle_->position() : 0);
}

Napi::Value Session::rewind(const Napi::CallbackInfo& info) {
  if (!handle_) return reject(info.Env(), closed("the session"));
  uint32_t position = info[0].As<Napi::Number>();
  return Task::start(info.Env(), [handle = handle_, position] {
    handle->call([&](const Library& lib, realizar_session* s) { return lib.session_rewind(s, position); });
  });
}

Napi::Value Session::dump_nodes(const Napi::CallbackInfo& info) {
  if (!handle_) return reject(info.Env(), closed("the session"));
  auto text = std::make_shared<std::string>();
  return Task::start(
      info.Env(),
      [handle = handle_, text] {
        char* lines = nullptr;
        handle->call([&](const Library& lib, realizar_session* s) { return lib.session_dump_nodes(s, &lines); });
        std::unique_ptr<char, decltype(&realizar_free)> owner(lines, handle->library().free);
        *text = lines;
      },
      [text](Napi::Env env) { return Napi::String::New(env, *text); });
}

Napi::Value Session::close(const Napi::CallbackInfo& info) {
  return Task::start(info.Env(), [handle = std::move(handle_)]() mutable { handle.reset(); });
}

}  // namespace addon
