/** Ed25519 signatures over the bytes of manifest.json, 64 raw bytes each, as openssl makes and checks them too. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CompileError } from '../common/errors.js';
import { readArtifactFile, replaceFile } from './artifact_file.js';
import { FILES } from './names.js';

const MAKE_KEYS =
  'make a pair with: openssl genpkey -algorithm ed25519 -out private.pem, and openssl pkey -in private.pem -pubout -out public.pem';

const SIGNATURE_BYTES = 64;

/** Writes manifest.sig for the manifest that is in a folder. */
export function signArtifact(folder: string, key: KeyObject): void {
  replaceFile(join(folder, FILES.signature), sign(null, readFileSync(join(folder, FILES.manifest)), key));
}

/** Why the signature of a folder is not one of this key over the manifest's bytes; undefined where it is. */
export function signatureProblem(folder: string, manifest: Uint8Array, key: KeyObject): string | undefined {
  const signature = readArtifactFile(folder, FILES.signature, SIGNATURE_BYTES);
  if (signature === undefined)
    return `${FILES.signature}: missing; sign with realizar-compile MODEL --sign private.pem`;
  if (verify(null, manifest, key, signature)) return undefined;
  return `${FILES.signature}: no signature of ${FILES.manifest} with this key`;
}

/** Errors: CompileError for a file that holds no private Ed25519 key in PEM. */
export const privateKey = (path: string): KeyObject => readKey(path, 'private', createPrivateKey);
export const publicKey = (path: string): KeyObject => readKey(path, 'public', createPublicKey);

function readKey(path: string, kind: 'private' | 'public', parse: (pem: Buffer) => KeyObject): KeyObject {
  let pem: Buffer;
  try {
    pem = readFileSync(path);
  } catch (error) {
    throw new CompileError(`cannot read the ${kind} key: ${(error as Error).message}; ${MAKE_KEYS}`);
  }
  let key: KeyObject;
  try {
    key = parse(pem);
  } catch {
    throw new CompileError(`${path} holds no ${kind} key in PEM without a passphrase; ${MAKE_KEYS}`);
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new CompileError(`${path} holds a key of type ${key.asymmetricKeyType}, not ed25519; ${MAKE_KEYS}`);
}
