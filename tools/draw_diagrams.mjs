#!/usr/bin/env node
// Usage: tools/draw_diagrams.mjs [FOLDER]. Draws docs/diagrams/*.dot as SVG, into that folder or beside them.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { instance } from '@viz-js/viz';

const sources = fileURLToPath(new URL('../docs/diagrams', import.meta.url));
const output = process.argv[2] ?? sources;
const viz = await instance();
for (const name of readdirSync(sources).filter((file) => file.endsWith('.dot'))) {
  const svg = viz.renderString(readFileSync(join(sources, name), 'utf8'), { engine: 'dot', format: 'svg' });
  writeFileSync(join(output, name.replace(/\.dot$/, '.svg')), svg);
}
