// Prints what the CUDA driver says of the GPUs here, as one line of JSON: numbers that it does not tell are 0. The
// compiler builds and runs this to plan for the GPU at hand; alone:
//   cc runtime/driver/device_info.c -o device_info -ldl && ./device_info
// Exit code: 0, 1 if there is no GPU to tell of (then the JSON has the reason).
#define _GNU_SOURCE  // dlopen in older libraries' headers
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The driver API, as far as it is used here: a machine that compiles may have no cuda.h, and one that runs has none.
typedef int (*Init)(unsigned flags);
typedef int (*GetVersion)(int* version);
typedef int (*GetErrorName)(int error, const char** name);
typedef int (*GetCount)(int* count);
typedef int (*Get)(int* device, int ordinal);
typedef int (*GetName)(char* name, int length, int device);
typedef int (*GetAttribute)(int* value, int attribute, int device);

static void* library;

static void* find(const char* symbol) {
  void* found = dlsym(library, symbol);
  if (found) return found;
  printf("{\"problem\":\"the CUDA driver lacks %s\"}\n", symbol);
  exit(1);
}

static void print_text(const char* text) {
  putchar('"');
  for (; *text; text++) {
    const unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\')
      printf("\\%c", c);
    else if (c < 0x20 || c > 0x7e)
      printf("\\u%04x", c);
    else
      putchar(c);
  }
  putchar('"');
}

static int give_up(const char* what, const char* why) {
  char problem[512];
  snprintf(problem, sizeof problem, "%s%s%s", what, why ? ": " : "", why ? why : "");
  printf("{\"problem\":");
  print_text(problem);
  printf("}\n");
  return 1;
}

static int failed(const char* call, int error) {
  char what[128];
  const char* name = NULL;
  const GetErrorName get_error_name = (GetErrorName)dlsym(library, "cuGetErrorName");
  if (get_error_name) get_error_name(error, &name);
  if (error == 100) {
    const char* visible = getenv("CUDA_VISIBLE_DEVICES");
    return give_up(visible ? "the CUDA driver sees no GPU with CUDA_VISIBLE_DEVICES" : "the CUDA driver sees no GPU",
                   visible && *visible ? visible
                   : visible           ? "\"\""
                                       : NULL);
  }
  snprintf(what, sizeof what, "%s failed with error %d", call, error);
  return give_up(what, name);
}

// CUdevice_attribute, by the names that the compiler reads.
static const struct {
  const char* name;
  int attribute;
} numbers[] = {
    {"major", 75},   {"minor", 76},    {"multiprocessors", 16}, {"sharedBytes", 97},   {"sharedPerMultiprocessor", 81},
    {"l2Bytes", 38}, {"clockKHz", 13}, {"memoryClockKHz", 36},  {"memoryBusBits", 37},
};

static void print_device(int device, const char* name, GetAttribute get_attribute) {
  printf("{\"name\":");
  print_text(name);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    int value = 0;
    if (get_attribute(&value, numbers[i].attribute, device) != 0) value = 0;
    printf(",\"%s\":%d", numbers[i].name, value);
  }
  printf("}");
}

int main(void) {
  library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* why = dlerror();  // not of a file that is just missing
    if (why && strstr(why, "No such file")) return give_up("no CUDA driver: there is no libcuda.so.1", NULL);
    return give_up("no CUDA driver", why);
  }
  const Init init = (Init)find("cuInit");
  const GetVersion get_version = (GetVersion)find("cuDriverGetVersion");
  const GetCount get_count = (GetCount)find("cuDeviceGetCount");
  const Get get = (Get)find("cuDeviceGet");
  const GetName get_name = (GetName)find("cuDeviceGetName");
  const GetAttribute get_attribute = (GetAttribute)find("cuDeviceGetAttribute");

  int error, version = 0, count = 0;
  if ((error = init(0))) return failed("cuInit", error);
  if ((error = get_version(&version))) return failed("cuDriverGetVersion", error);
  if ((error = get_count(&count))) return failed("cuDeviceGetCount", error);
  if (count < 1) return failed("cuDeviceGetCount", 100);
  printf("{\"driver\":\"%d.%d\",\"devices\":[", version / 1000, version % 1000 / 10);
  for (int i = 0; i < count; i++) {
    int device = 0;
    char name[256] = "";
    if (get(&device, i) != 0 || get_name(name, sizeof name, device) != 0) snprintf(name, sizeof name, "GPU %d", i);
    if (i > 0) putchar(',');
    print_device(device, name, get_attribute);
  }
  printf("]}\n");
  return 0;
}
