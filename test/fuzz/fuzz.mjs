/**
 * fuzz.mjs [--seconds 60] [--seed N] [--work build/fuzz] [TARGET...]: runs targets of targets.mjs, each in a process of its own that
 * is ended where an input keeps it busy. Exit code 1 if something was found; the inputs lie in the work folder.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = fileURLToPath(new URL('.', import.meta.url));
const options = {
  seconds: { type: 'string', default: '60' },
  seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
  work: { type: 'string', default: join(here, '../../build/fuzz') },
};
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const CORPUS = join(here, 'corpus');
const HEAP_MEBIBYTES = 1024;
const CPU_SECONDS = 20;

/** Seconds of processor time that a process has used; Linux counts in hundredths. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function fuzz(name) {
  const work = join(values.work, name);
  const current = join(work, 'current');
  mkdirSync(work, { recursive: true });
  const flags = [`--max-old-space-size=${HEAP_MEBIBYTES}`, '--no-warnings', join(here, 'run.mjs')];
  const child = spawn(process.execPath, [...flags, name, values.seconds, values.seed, join(CORPUS, name), work], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  let since = { input: 0, cpu: 0 };
  const watch = setInterval(() => {
    const input = statSync(current, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const cpu = cpuSeconds(child.pid);
    if (input !== since.input) since = { input, cpu };
    else if (cpu - since.cpu > CPU_SECONDS) child.kill('SIGKILL');
  }, 1000);
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearInterval(watch);
      if (code === 0 || code === 1) return resolve(code === 0);
      const finding = join(work, `finding-ended-${Date.now()}`);
      copyFileSync(current, finding);
      const what = signal === 'SIGKILL' ? `busy for more than ${CPU_SECONDS} s` : `ended with ${signal ?? code}`;
      process.stdout.write(`${name}: ${what}\n  the input is ${finding}\n`);
      resolve(false);
    });
  });
}

process.stdout.write(`seed ${values.seed}\n`);
for (const name of positionals.length > 0 ? positionals : readdirSync(CORPUS)) {
  if (!(await fuzz(name))) process.exitCode = 1;
}
