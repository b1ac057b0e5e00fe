/**
 * One target, run by fuzz.mjs: its stored inputs, then mutations until the time is up. An input that runs new code of dist/ is
 * kept as one to mutate. Each input is written to a file before it is read, for the case that this process does not survive it.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Coverage } from './coverage.mjs';
import { Mutator, randomOf } from './mutate.mjs';
import { TARGETS } from './targets.mjs';

const [name, seconds, seed, stored, work] = process.argv.slice(2);
/** Inputs between two looks at what ran, which take longer than most inputs do. */
const BATCH = 16;
const CPU_SECONDS = 5;
const MEBIBYTES = 400;
const JSON_AT = { safetensors: 8, config: 0, tokenizer: 0, request: 0, manifest: 0, plan: 0 };

const target = TARGETS[name];
const coverage = new Coverage();
const known = new Set();
const findings = new Set();
let runs = 0;

const files = (folder) =>
  (existsSync(folder) ? readdirSync(folder).sort() : []).map((file) => readFileSync(join(folder, file)));
const nameOf = (bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

function report(what, bytes) {
  const kind = what.split('\n').slice(0, 3).join('\n');
  if (findings.has(kind)) return;
  findings.add(kind);
  const path = join(work, `finding-${nameOf(bytes)}`);
  writeFileSync(path, bytes);
  process.stdout.write(`${name}: ${what}\n  the input is ${path}\n`);
}

async function run(bytes) {
  writeFileSync(join(work, 'current'), bytes);
  runs++;
  const memory = process.memoryUsage.rss();
  const start = process.cpuUsage();
  try {
    await target(bytes);
  } catch (error) {
    report(error.stack ?? String(error), bytes);
  }
  const { user, system } = process.cpuUsage(start);
  if (user + system > CPU_SECONDS * 1e6) report(`takes more than ${CPU_SECONDS} s`, bytes);
  if (process.memoryUsage.rss() - memory > MEBIBYTES * 2 ** 20) report(`takes more than ${MEBIBYTES} MiB`, bytes);
}

function keep(corpus, bytes) {
  const label = nameOf(bytes);
  if (known.has(label)) return;
  known.add(label);
  corpus.push(bytes);
  writeFileSync(join(work, 'corpus', label), bytes);
}

mkdirSync(join(work, 'corpus'), { recursive: true });
const seeds = [...files(stored), Buffer.alloc(0)];
const corpus = [];
for (const bytes of [...seeds, ...files(join(work, 'corpus'))]) {
  await run(bytes);
  keep(corpus, bytes);
}
coverage.add(coverage.take());
const mutator = new Mutator(randomOf(Number(seed)), seeds, JSON_AT[name]);
const end = performance.now() + Number(seconds) * 1000;
while (performance.now() < end) {
  const batch = Array.from({ length: BATCH }, () => mutator.mutate(corpus));
  for (const bytes of batch) await run(bytes);
  const ran = coverage.take();
  if (!coverage.isNew(ran)) continue;
  for (const bytes of batch) {
    await run(bytes);
    const alone = coverage.take();
    if (coverage.isNew(alone)) keep(corpus, bytes);
    coverage.add(alone);
  }
  coverage.add(ran);
}
const mebibytes = Math.round(process.memoryUsage.rss() / 2 ** 20);
process.stdout.write(
  `${name}: ${runs} inputs, ${corpus.length} of them kept, ${coverage.functions} functions, ${mebibytes} MiB\n`,
);
process.exit(findings.size > 0 ? 1 : 0);
