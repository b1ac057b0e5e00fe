# make help says what there is. A fresh clone needs make demo and make test, nothing else.
SHELL := /bin/bash
MODEL := examples/storyteller-q8_0.gguf
CLANG_FORMAT := node_modules/clang-format/bin/linux_x64/clang-format
CPP := $(shell git ls-files 'runtime/*.cpp' 'runtime/*.h' 'runtime/*.cuh' 'test/*.cpp' 'test/*.h' 'test/*.c')

.PHONY: help demo test check format build addon generated gpu-bundle clean

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build addon ## compile the bundled model for this machine and let it tell a story
	@if command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1 && \
	    { command -v nvcc || test -x /usr/local/cuda/bin/nvcc; } >/dev/null; then target=cuda; \
	else target=host; echo "No GPU with nvcc here: the demo runs on the host simulator, which checks kernels and is not fast."; fi; \
	arch=$$(test $$target = cuda && nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .); \
	node dist/compiler/cli.js $(MODEL) --target $$target $${arch:+--arch sm_$$arch} -o build/demo && \
	node dist/examples/story.js build/demo $(MODEL)

test: build addon ## everything that can be tested without a GPU
	@command -v nvcc >/dev/null || test -x /usr/local/cuda/bin/nvcc || echo "nvcc is not here: the tests that compile for GPUs are skipped."
	npx vitest run --reporter=default --reporter=json --outputFile.json=build/test.json

check: build ## types, lint, format, circular imports, unused exports
	npm run --silent check
	@$(CLANG_FORMAT) --dry-run --Werror $(CPP) && echo "clang-format: $(words $(CPP)) files"

format: node_modules ## format everything
	npm run --silent format
	$(CLANG_FORMAT) -i $(CPP)

build: node_modules ## TypeScript to dist/
	@npm run --silent build

addon: node_modules ## the Node addon, build/addon
	@npm run --silent build:addon -- --log-level error

generated: build ## the bundled model's emitted source, kept in generated/ for review
	node dist/compiler/cli.js $(MODEL) --target cuda --no-build -o build/generated --quiet
	rm -rf generated/storyteller && mkdir -p generated/storyteller
	cp build/generated/{plan.json,graph.cpp,kernels.cu,model.h,code.S,CMakeLists.txt,index.mjs,index.d.mts} generated/storyteller/

gpu-bundle: build ## what test/gpu/check.py needs on a machine with a GPU (needs nvcc)
	test/gpu/bundle.sh $(SYNTH)

clean: ## remove what was built
	rm -rf build dist

node_modules: package-lock.json
	npm ci --no-audit --no-fund
	@touch node_modules
