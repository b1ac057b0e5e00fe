/** The package as its users have it: packed by npm, and installed by npm in a project of its own, without a network. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Exit, ROOT, runProgram } from '../support/artifacts.js';

/** `npm pack` in a copy of the working tree, since it empties dist/. Returns the tarball's path. */
export function pack(scratch: string): string {
  const copy = join(scratch, 'tree');
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' });
  for (const name of listed.trimEnd().split('\n'))
    if (existsSync(join(ROOT, name)) && !name.startsWith('test/')) cpSync(join(ROOT, name), join(copy, name));
  // No link to the folder: npm would pack what is bundled under the path that the link leads to.
  const modules = [join(ROOT, 'node_modules'), join(copy, 'node_modules')] as const;
  try {
    execFileSync('cp', ['-al', ...modules], { stdio: 'pipe' });
  } catch {
    cpSync(...modules, { recursive: true, verbatimSymlinks: true }); // another file system has no hard links to it
  }
  const packed = execFileSync('npm', ['pack', '--offline', '--json', '--pack-destination', scratch], {
    cwd: copy,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 28,
  });
  return join(scratch, JSON.parse(packed.slice(packed.indexOf('\n[') + 1))[0].filename);
}

/** A project that depends on the tarball: installed, and then again from its lock file, as a pipeline does. */
export function install(tarball: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const project = { private: true, type: 'module', dependencies: { 'realizar-compile': `file:${tarball}` } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(project));
  const flags = ['--offline', '--engine-strict', '--no-audit', '--no-fund'];
  for (const command of ['install', 'ci']) execFileSync('npm', [command, ...flags], { cwd: folder, stdio: 'pipe' });
  return join(folder, 'node_modules', 'realizar-compile');
}

/** npx in the project, where the kernel allows it without a network. */
export function npx(folder: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Exit> {
  const command = ['npx', '--no', '--offline', ...args];
  const [program, ...rest] = canUnshare ? ['unshare', '-rn', ...command] : command;
  return runProgram(program!, rest, { cwd: folder, env });
}

const canUnshare = await runProgram('unshare', ['-rn', 'true']).then(({ code }) => code === 0);
