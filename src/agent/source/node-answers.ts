/**
 * What a MySensors controller answers its nodes: ids, the time, the units; and what it asks of a child it does not know. An id
 * is on the disk before it is given: it is never given twice, also after a restart.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { NodeRequest } from '../decoder/reading.ts';

export interface NodeAnswersOptions {
  /** New nodes get ids from this one on. */
  readonly firstId: number;
  /** Where the ids are kept that were given. */
  readonly idFile: string;
  /** Local time in seconds, or null while the clock is not set. */
  readonly localSeconds: () => number | null;
  readonly monoNow: () => number;
}

/** The bytes to write, or null: no answer. Throws where the id cannot be kept. */
export type AnswerNode = (request: NodeRequest) => Buffer | null;

/** 0 is the gateway, 255 stands for "no id yet". */
const MAX_NODE_ID = 254;
const NO_ID = 255;
/** A node is asked to present itself so often at most. */
const ASK_EVERY_MS = 60_000;
/** Of a file that holds no ids, in what is told of it. */
const SHOWN_CHARACTERS = 40;

export function createNodeAnswers(options: NodeAnswersOptions): AnswerNode {
  const { firstId, idFile, localSeconds, monoNow } = options;
  const askedAt = new Map<number, number>();
  const message = (node: number, child: number, type: number, payload: string) =>
    Buffer.from(`${node};${child};3;0;${type};${payload}\n`);
  return ({ type, node, child, heard = [] }) => {
    switch (type) {
      case 'id': {
        const given = readIds(idFile);
        const taken = new Set([...given, ...heard]);
        let id = firstId;
        while (taken.has(id)) id += 1;
        if (id > MAX_NODE_ID) return null;
        keepIds(idFile, [...given, id]);
        return message(NO_ID, NO_ID, 4, String(id));
      }
      case 'time': {
        const seconds = localSeconds();
        return seconds === null ? null : message(node, child, 1, String(Math.floor(seconds)));
      }
      case 'config':
        return message(node, child, 6, 'M');
      case 'presentation': {
        if (monoNow() - (askedAt.get(node) ?? Number.NEGATIVE_INFINITY) < ASK_EVERY_MS) return null;
        askedAt.set(node, monoNow());
        return message(node, NO_ID, 19, '');
      }
    }
  };
}

function readIds(file: string): number[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const ids = parseIds(text);
  if (ids !== null) return ids;
  const what = text.trim() === '' ? 'nothing' : JSON.stringify(text.slice(0, SHOWN_CHARACTERS));
  const reason = `${file}: expected a list of node ids such as [100,101], got ${what}`;
  const fix = 'write the ids of all your nodes into it; until then no id is given, and the file stays as it is';
  throw Object.assign(new Error(`${reason}: ${fix}`), { code: 'NODE_IDS' });
}

/** Null: it is no list of ids, as a card that fails leaves it, or a hand. */
function parseIds(text: string): number[] | null {
  let ids: unknown;
  try {
    ids = JSON.parse(text);
  } catch {
    return null;
  }
  return Array.isArray(ids) && ids.every((id) => Number.isInteger(id)) ? ids : null;
}

/** Returns once file and name are on the disk: before that a power cut may bring the old list back, and an id would be given twice. */
function keepIds(file: string, ids: readonly number[]): void {
  const fd = openSync(`${file}.new`, 'w', 0o600);
  try {
    writeSync(fd, `${JSON.stringify(ids)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${file}.new`, file);
  const folder = openSync(dirname(file), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
