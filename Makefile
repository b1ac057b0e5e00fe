# A fresh clone needs make demo and make test, nothing else.
SHELL := /bin/bash
MODEL := examples/storyteller-q8_0.gguf
# Shapes and encodings of docs/performance.md.
SYNTH := llama-1b:Q8_0 llama-1b:Q4_K_M llama-1b:F16 qwen2-0.5b:Q8_0 llama-8b:Q4_K_M llama-8b:Q8_0 \
         gemma3-4b:Q4_K_M qwen3moe-30b-a3b-12l:Q4_K_M mixtral-8x7b-8l:Q4_K_M gpt-oss-20b:MXFP4_MOE
CHECKS := types lint unused format

# npm's own --omit dev leaves out what development needs too, and it names the package by the folder that it lies in.
define SHIPPED
const sbom = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const isDevelopment = ({ properties }) => properties.some(({ name }) => name === 'cdx:npm:package:development');
sbom.components = sbom.components.filter((part) => !isDevelopment(part));
sbom.metadata.component.name = require('./package.json').name;
const shipped = new Set([sbom.metadata.component, ...sbom.components].map((part) => part['bom-ref']));
sbom.dependencies = sbom.dependencies
  .filter(({ ref }) => shipped.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((part) => shipped.has(part)) }));
console.log(JSON.stringify(sbom, null, 2));
endef
export SHIPPED

.PHONY: help demo test quick check format build addon package sbom generated docs gpu-bundle bench fuzz soak clean

help: ## this list
	@echo "realizar-compile: GGUF models to static CUDA graphs. Needs node >= 20, npm, cmake and g++; nvcc for GPUs."
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build addon ## compile the bundled model for this machine and let it tell a story
	@options=$$(node dist/examples/this_machine.js) && \
	node dist/compiler/cli.js $(MODEL) $$options -o build/demo && echo && \
	node dist/examples/story.js build/demo $(MODEL)

test: build addon ## everything that can be tested without a GPU
	@command -v nvcc >/dev/null || test -x /usr/local/cuda/bin/nvcc || \
	echo "nvcc is not here: the tests that compile for GPUs are skipped."
	npx vitest run --reporter=default --reporter=json --outputFile.json=build/test.json

# Folders whose tests compile no C++, without those that take longest.
QUICK := test/model/ test/graph/ test/passes/ test/plan/ test/emit/ test/kernels/ test/reference/
SLOW := test/emit/binding.test.ts test/reference/llama_cpp.test.ts
quick: node_modules ## an answer in a minute: types, tests that compile no C++, and one golden model on the host target
	npm run --silent check:types
	npx vitest run $(QUICK) $(SLOW:%=--exclude %)
	npx vitest run test/e2e/goldens.test.ts -t llama-q4_k_m

check: node_modules ## types, lint with circular imports, unused exports, format of C++; each even if one before it fails
	@mkdir -p build && : > build/check.txt
	@for step in $(CHECKS); do \
	  if npm run --silent check:$$step; then result=passed; else result=failed; fi; \
	  echo "$$result $$step" | tee -a build/check.txt; \
	done
	@! grep -q failed build/check.txt

format: node_modules ## write every file in the format that check wants
	npm run --silent format

build: node_modules ## the compiler, dist/
	@npm run --silent build

addon: node_modules ## the Node addon, build/addon
	@mkdir -p build
	@npm run --silent build:addon > build/addon.log 2>&1 || { cat build/addon.log; exit 1; }

package: sbom ## what is published, build/package: the package, and the list of its parts
	rm -f build/package/*.tgz
	npm pack --silent --pack-destination build/package

sbom: node_modules ## the package's parts in CycloneDX's format, build/package/sbom.cdx.json
	@mkdir -p build/package
	npm sbom --package-lock-only --sbom-format cyclonedx | node -e "$$SHIPPED" > build/package/sbom.cdx.json

generated: build ## the bundled model's emitted source again, generated/storyteller
	node dist/compiler/cli.js $(MODEL) --target cuda --rows 8,512 --no-build -o build/generated --quiet
	rm -rf generated/storyteller && mkdir -p generated/storyteller
	cp build/generated/{plan.json,graph.cpp,kernels.cu,model.h,code.S,CMakeLists.txt,index.mjs,index.d.mts} generated/storyteller/

docs: node_modules ## docs/api-reference.md again, from the doc comments, and the diagrams from docs/diagrams/*.dot
	npm run --silent docs

soak: build addon ## a server under clients of every kind for SECONDS=600: descriptors, threads, memory before and after
	SOAK_SECONDS=$(or $(SECONDS),600) npx vitest run test/serve/soak.test.ts

bench: gpu-bundle ## docs/performance.md's table again, on a machine with a GPU: build/bench.md and build/bench.json
	build/gpu/check.py --bench $$(echo $(SYNTH) | tr ' ' ,) --markdown build/bench.md --json build/bench.json

gpu-bundle: build ## what test/gpu/check.py needs on a machine with a GPU, build/gpu; SYNTH="..." chooses the models to time
	test/gpu/bundle.sh $(BUNDLE) $(SYNTH)

fuzz: build ## mutated inputs, guided by coverage, for every reader of foreign bytes, for SECONDS=60 each; SEED=n repeats a run
	node test/fuzz/fuzz.mjs --seconds $(or $(SECONDS),60) $(SEED:%=--seed %)
	@command -v clang++ >/dev/null || echo "clang++ is not here: the C ABI and replay's command line are left out"
	! command -v clang++ >/dev/null || test/runtime/fuzz/run.sh build/fuzz/runtime $(or $(SECONDS),60) $(SEED)

clean: ## remove what was built
	rm -rf build dist

node_modules: package-lock.json
	npm ci --no-audit --no-fund
	@touch node_modules
