/** The list of the package's parts that `make package` writes. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/artifacts.js';

interface Component {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses?: readonly unknown[];
}

test('names every package that is installed with it, and no other', () => {
  execFileSync('make', ['--silent', '--old-file=node_modules', 'sbom'], { cwd: ROOT, stdio: 'pipe' });
  const sbom = JSON.parse(readFileSync(join(ROOT, 'build/package/sbom.cdx.json'), 'utf8'));
  expect(sbom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5' });
  expect(sbom.metadata.component).toMatchObject({ name: 'realizar-compile', version: '0.1.0' });
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const shipped = Object.entries<{ version: string; dev?: boolean }>(lock.packages)
    .filter(([path, { dev }]) => path !== '' && !dev)
    .map(([path, { version }]) => `${path.split('node_modules/').at(-1)}@${version}`);
  const components: Component[] = sbom.components;
  expect(components.map(({ name, version }) => `${name}@${version}`).sort()).toEqual([...new Set(shipped)].sort());
  const refs = new Set(sbom.dependencies.map(({ ref }: { ref: string }) => ref));
  expect(refs.size).toBe(components.length + 1);
  for (const { purl, licenses = [] } of components) {
    expect(purl).toMatch(/^pkg:npm\//);
    expect(licenses.length, purl).toBeGreaterThan(0);
  }
});
