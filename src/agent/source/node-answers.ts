/**
 * What a MySensors controller answers its nodes: ids, the time, the units; and what it asks of a child it does not know. An id
 * is on the disk before it is given: it is never given twice, also after a restart.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
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
  const ids: unknown = JSON.parse(text);
  if (!Array.isArray(ids) || !ids.every((id) => Number.isInteger(id))) {
    throw Object.assign(new Error(`${file} is damaged: write the ids of all your nodes into it, such as [100,101]`), {
      code: 'NODE_IDS',
    });
  }
  return ids as number[];
}

function keepIds(file: string, ids: readonly number[]): void {
  const fd = openSync(`${file}.new`, 'w', 0o600);
  try {
    writeSync(fd, `${JSON.stringify(ids)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${file}.new`, file);
}
