import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';

/** A new folder inside another. */
export const emptyFolder = (parent: string): string => mkdtempSync(join(parent, 'folder-'));
