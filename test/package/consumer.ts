/** The package as its users have it: packed by npm, installed in a folder of its own, with nothing of this repository. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Exit, ROOT, runProgram } from '../support/artifacts.js';

interface LockEntry {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly hasInstallScript?: boolean;
}

const lock: { packages: Record<string, LockEntry> } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));

/** What npm would install with the package, as paths under its user's folder. */
const dependencies = Object.entries(lock.packages).filter(
  ([path, { dev, devOptional }]) => path && !dev && !devOptional,
);

/** Of these, the ones that run scripts when they are installed. */
export const installScripts = dependencies.filter(([, entry]) => entry.hasInstallScript).map(([path]) => path);

/** `npm pack` in a copy of the working tree, since it empties dist/. Returns the tarball's path. */
export function pack(scratch: string): string {
  const copy = join(scratch, 'tree');
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' });
  for (const name of listed.trimEnd().split('\n'))
    if (existsSync(join(ROOT, name)) && !name.startsWith('test/')) cpSync(join(ROOT, name), join(copy, name));
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const packed = execFileSync('npm', ['pack', '--offline', '--json', '--pack-destination', scratch], {
    cwd: copy,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return join(scratch, JSON.parse(packed.slice(packed.indexOf('\n[') + 1))[0].filename);
}

/** A project that depends on the tarball, installed as npm installs it, but from this repository's node_modules. */
export function install(tarball: string, folder: string): string {
  const modules = join(folder, 'node_modules');
  const home = join(modules, 'realizar-compile');
  mkdirSync(home, { recursive: true });
  const project = { private: true, type: 'module', dependencies: { 'realizar-compile': `file:${tarball}` } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(project));
  // Copied, not linked: a link would find what only this repository has.
  for (const [path] of dependencies)
    if (existsSync(join(ROOT, path))) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  execFileSync('tar', ['xzf', tarball, '--strip-components=1', '-C', home]);
  execFileSync('npm', ['rebuild', '--offline', '--ignore-scripts'], { cwd: folder, stdio: 'pipe' }); // node_modules/.bin
  return home;
}

/** npx in the project, where the kernel allows it without a network. */
export function npx(folder: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Exit> {
  const command = ['npx', '--no', '--offline', ...args];
  const [program, ...rest] = canUnshare ? ['unshare', '-rn', ...command] : command;
  return runProgram(program!, rest, { cwd: folder, env });
}

const canUnshare = await runProgram('unshare', ['-rn', 'true']).then(({ code }) => code === 0);
