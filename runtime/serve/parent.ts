/**
 * npx and npm scripts do not hand SIGTERM on to the program that they run: it reaches npm, or the shell between, and the
 * program stays behind, its port taken. This finds out that they are gone.
 */
import { readFileSync } from 'node:fs';

/** How often it is looked, ms. */
const INTERVAL = 500;
/** What leaves a program behind on purpose. */
const BACKGROUND = /&|\b(nohup|setsid|disown|daemonize)\b/;
const NPM = /(^|[/ ])(p?npm|npx|yarn|bunx?)\b/;
const LONGEST_CHAIN = 8;
const SHELLS = /^(sh|dash|bash|ash|busybox|zsh|ksh)$/;

interface Process {
  readonly name: string;
  readonly command: string;
  readonly parent: number;
  readonly session: number;
}

/**
 * Calls `gone` once, when npm or the shell that it started this program with has ended. Does nothing where the program was not
 * started by npm, has a session of its own, or was put into the background by the command that npm ran.
 */
export function watchNpm(gone: () => void): void {
  const ancestors = waitingAncestors();
  if (ancestors.length === 0) return;
  const timer = setInterval(() => {
    if (ancestors.every(([child, parent]) => parentOf(child) === parent)) return;
    clearInterval(timer);
    gone();
  }, INTERVAL).unref();
}

/** Pairs of a process and its parent, from this program up to npm, where npm waits for it, itself or by shells between. */
function waitingAncestors(): readonly (readonly [child: number, parent: number])[] {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = '' } = process.env;
  if (event === undefined || BACKGROUND.test(script)) return [];
  const pairs: [number, number][] = [];
  const self = read(process.pid);
  for (let [child, of] = [process.pid, self]; of && pairs.length < LONGEST_CHAIN; ) {
    const parent = read(of.parent);
    if (!parent || parent.session !== self?.session) return [];
    pairs.push([child, of.parent]);
    if (NPM.test(parent.command)) return pairs;
    if (!SHELLS.test(parent.name)) return [];
    [child, of] = [of.parent, parent];
  }
  return [];
}

const parentOf = (pid: number) => (pid === process.pid ? process.ppid : read(pid)?.parent);

/** Of /proc/PID/stat: the name is in brackets and may have brackets in it. */
function read(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [open, close] = [stat.indexOf('('), stat.lastIndexOf(')')];
    const [, parent, , session] = stat.slice(close + 2).split(' ');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return { command, name: stat.slice(open + 1, close), parent: Number(parent), session: Number(session) };
  } catch {
    return undefined; // it has ended
  }
}
