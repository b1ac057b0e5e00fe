#include <string>

#include "task.h"
#include "wrap.h"

namespace addon {
namespace {

struct Progress {
  std::string phase;
  uint64_t done, total;
};

// Like Task, but the library reports progress on the way. Every report is delivered before the promise is settled.
class OpenTask : public Napi::AsyncProgressQueueWorker<Progress> {
 public:
  OpenTask(const Napi::CallbackInfo& info)
      : AsyncProgressQueueWorker(info.Env(), "realizar"),
        library_path_(info[0].As<Napi::String>()),
        model_path_(info[1].As<Napi::String>()),
        deferred_(Napi::Promise::Deferred::New(info.Env())) {
    options_.struct_size = sizeof options_;
    options_.device = info[2].As<Napi::Number>();
    options_.order_seed = info[3].As<Napi::Number>();
    options_.poison = info[4].As<Napi::Boolean>().Value();
    if (info[5].IsFunction()) progress_ = Napi::Persistent(info[5].As<Napi::Function>());
  }
  Napi::Value promise() const { return deferred_.Promise(); }

 private:
  void Execute(const ExecutionProgress& progress) override {
    if (!progress_.IsEmpty()) {
      options_.user = const_cast<ExecutionProgress*>(&progress);
      options_.progress = [](void* user, const char* phase, uint64_t done, uint64_t total) {
        Progress report{phase, done, total};
        static_cast<ExecutionProgress*>(user)->Send(&report, 1);
      };
    }
    try {
      const Library& library = load_library(library_path_);
      realizar_model* model = nullptr;
      library.check(library.model_open(model_path_.c_str(), &options_, &model));
      handle_ = std::make_shared<ModelHandle>(library, model);
    } catch (Failure& failure) {
      failure_ = std::move(failure);
    }
  }
  void OnProgress(const Progress* report, size_t count) override {
    for (size_t i = 0; i < count; i++)
      progress_.Call({Napi::String::New(Env(), report[i].phase), Napi::Number::New(Env(), report[i].done),
                      Napi::Number::New(Env(), report[i].total)});
  }
  void OnOK() override {
    if (failure_)
      deferred_.Reject(to_error(Env(), *failure_));
    else
      deferred_.Resolve(wrap(Env(), Env().GetInstanceData<Classes>()->model, std::move(handle_)));
  }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

  std::string library_path_, model_path_;
  realizar_model_options options_{};
  Napi::FunctionReference progress_;
  std::shared_ptr<ModelHandle> handle_;
  std::optional<Failure> failure_;
  Napi::Promise::Deferred deferred_;
};

Napi::Object to_object(Napi::Env env, const realizar_info& info) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("compilerVersion", info.compiler_version);
  out.Set("name", info.name);
  out.Set("architecture", info.architecture);
  out.Set("target", info.target);
  out.Set("gpuArchs", info.gpu_archs);
  out.Set("vocabSize", info.n_vocab);
  out.Set("contextLength", info.n_ctx);
  out.Set("embeddingLength", info.n_embd);
  out.Set("layerCount", info.n_layer);
  out.Set("headCount", info.n_head);
  out.Set("headCountKv", info.n_head_kv);
  out.Set("headSize", info.head_size);
  out.Set("nodeCount", info.n_node);
  out.Set("weightsBytes", static_cast<double>(info.weights_bytes));
  out.Set("kvCacheBytes", static_cast<double>(info.kv_cache_bytes));
  out.Set("arenaBytes", static_cast<double>(info.arena_bytes));
  out.Set("fileBytes", static_cast<double>(info.file_bytes));
  out.Set("headerSha256", info.header_sha256);
  out.Set("tokenReadBytes", static_cast<double>(info.token_read_bytes));
  out.Set("kvRowBytes", static_cast<double>(info.kv_row_bytes));
  return out;
}

}  // namespace

Napi::Function Model::define(Napi::Env env) {
  return DefineClass(
      env, "NativeModel",
      {InstanceMethod<&Model::info>("info"), InstanceMethod<&Model::device_name>("deviceName"),
       InstanceMethod<&Model::kv_read_bytes>("kvReadBytes"), InstanceMethod<&Model::open_session>("openSession"),
       InstanceMethod<&Model::open_engine>("openEngine"),
       InstanceMethod<&Model::measure_read_ceiling>("measureReadCeiling"), InstanceMethod<&Model::close>("close")});
}

Model::Model(const Napi::CallbackInfo& info) : ObjectWrap(info), handle_(unwrap<ModelHandle>(info)) {}

Napi::Value Model::open(const Napi::CallbackInfo& info) {
  auto* task = new OpenTask(info);  // deletes itself when done
  Napi::Value promise = task->promise();
  task->Queue();
  return promise;
}

Napi::Value Model::info(const Napi::CallbackInfo& info) {
  return handle_ ? to_object(info.Env(), *handle_->library.info) : info.Env().Undefined();
}

Napi::Value Model::device_name(const Napi::CallbackInfo& info) {
  return handle_ ? Napi::String::New(info.Env(), handle_->library.model_device_name(handle_->model))
                 : info.Env().Undefined();
}

Napi::Value Model::kv_read_bytes(const Napi::CallbackInfo& info) {
  if (!handle_) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), handle_->library.kv_read_bytes(info[0].As<Napi::Number>()));
}

Napi::Value Model::open_session(const Napi::CallbackInfo& info) {
  if (!handle_) return reject(info.Env(), closed("the model"));
  auto opened = std::make_shared<std::shared_ptr<SessionHandle>>();
  return Task::start(
      info.Env(),
      [handle = handle_, opened] {
        realizar_session* session = nullptr;
        handle->library.check(handle->library.session_open(handle->model, &session));
        *opened = std::make_shared<SessionHandle>(handle, session);
      },
      [opened](Napi::Env env) { return wrap(env, env.GetInstanceData<Classes>()->session, std::move(*opened)); });
}

Napi::Value Model::open_engine(const Napi::CallbackInfo& info) {
  if (!handle_) return reject(info.Env(), closed("the model"));
  return Engine::open(info, handle_);
}

Napi::Value Model::measure_read_ceiling(const Napi::CallbackInfo& info) {
  if (!handle_) return reject(info.Env(), closed("the model"));
  auto ceiling = std::make_shared<double>();
  return Task::start(
      info.Env(),
      [handle = handle_, ceiling] {
        handle->library.check(handle->library.measure_read_ceiling(handle->model, ceiling.get()));
      },
      [ceiling](Napi::Env env) { return Napi::Number::New(env, *ceiling); });
}

Napi::Value Model::close(const Napi::CallbackInfo& info) {
  return Task::start(info.Env(), [handle = std::move(handle_)]() mutable { handle.reset(); });
}

}  // namespace addon
