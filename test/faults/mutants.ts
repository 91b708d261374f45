/** Ways in which a log's files may be spoilt. Each takes the files of a sound log and leaves them damaged. */
import { below } from './frame.ts';

/** By suffix: '' is the database, then '-wal', '-shm', '.head' (the witness), '-journal', '.lock', '.suspect'. */
export type Files = Map<string, Buffer>;

export interface Mutation {
  readonly name: string;
  /** The witness goes as well: what was there nobody knows. */
  readonly blinds?: true;
  /** `other`: the files of another sound log. */
  spoil(files: Files, random: () => number, other: ReadonlyMap<string, Buffer>): void;
}

const PAGE = 4_096;

export const MUTATIONS: readonly Mutation[] = [
  flips('one bit of the database', '', 1),
  flips('8 bits of the database', '', 8),
  flips('200 bits of the database', '', 200),
  flips('one bit of the WAL', '-wal', 1),
  flips('64 bits of the WAL', '-wal', 64),
  flips('64 bits of the shm', '-shm', 64),
  change('a bit of the header', '', (file, random) => {
    flip(file, below(random, 800));
    return file;
  }),
  change('the database cut anywhere', '', (file, random) => file.subarray(0, below(random, file.length))),
  change('the database cut at a page', '', (file, random) =>
    file.subarray(0, below(random, file.length / PAGE) * PAGE),
  ),
  change('the WAL cut anywhere', '-wal', (file, random) => file.subarray(0, below(random, file.length))),
  change('the database of no length', '', () => Buffer.alloc(0)),
  change('the database all zeros', '', (file) => Buffer.alloc(file.length)),
  change('the database all noise', '', (file, random) => noise(file.length, random)),
  change('a page of zeros', '', (file, random) => overPage(file, random, () => Buffer.alloc(PAGE))),
  change('a page of noise', '', (file, random) => overPage(file, random, () => noise(PAGE, random))),
  change('a page over another', '', (file, random) => overPage(file, random, () => pageOf(file, random))),
  change('512 bytes of noise', '', (file, random) => {
    noise(512, random).copy(file, below(random, file.length / 512) * 512);
    return file;
  }),
  change('an erase block of 64 KiB of noise', '', (file, random) => {
    noise(65_536, random).copy(file, below(random, Math.ceil(file.length / 65_536)) * 65_536);
    return file;
  }),
  change('the WAL all noise', '-wal', (file, random) => noise(file.length, random)),
  change('the WAL all zeros', '-wal', (file) => Buffer.alloc(file.length)),
  change('the shm all noise', '-shm', (file, random) => noise(file.length, random)),
  change('the shm of no length', '-shm', () => Buffer.alloc(0)),
  gone('no WAL', '-wal'),
  gone('no shm', '-shm'),
  gone('no database, but its WAL', ''),
  foreign('the WAL of another log', '-wal'),
  foreign('the shm of another log', '-shm'),
  foreign('the database of another log', ''),
  flips('one bit of the witness', '.head', 1),
  gone('no witness', '.head'),
  change('the witness all noise', '.head', (file, random) => noise(file.length, random)),
  {
    name: 'the database all noise, no WAL, no witness',
    blinds: true,
    spoil(files, random) {
      for (const suffix of ['-wal', '-shm', '.head']) files.delete(suffix);
      files.set('', noise(files.get('')?.length ?? 0, random));
    },
  },
  {
    name: 'no database, no WAL',
    spoil(files) {
      for (const suffix of ['', '-wal', '-shm']) files.delete(suffix);
    },
  },
  { name: 'a journal of noise', spoil: (files, random) => files.set('-journal', noise(8_192, random)) },
  { name: 'a lock file of noise', spoil: (files, random) => files.set('.lock', noise(8_192, random)) },
  {
    name: 'one bit of a suspected database',
    spoil(files, random, other) {
      files.set('.suspect', Buffer.alloc(0));
      flips('', '', 1).spoil(files, random, other);
    },
  },
];

function change(name: string, suffix: string, next: (file: Buffer, random: () => number) => Buffer): Mutation {
  return {
    name,
    spoil(files, random) {
      const file = files.get(suffix);
      if (file === undefined) throw new Error(`a sound log has a file ${suffix}`);
      files.set(suffix, next(file, random));
    },
  };
}

function flips(name: string, suffix: string, bits: number): Mutation {
  return change(name, suffix, (file, random) => {
    for (let i = 0; i < bits; i += 1) flip(file, below(random, file.length * 8));
    return file;
  });
}

function gone(name: string, suffix: string): Mutation {
  return { name, spoil: (files) => void files.delete(suffix) };
}

function foreign(name: string, suffix: string): Mutation {
  return {
    name,
    spoil(files, _, other) {
      const file = other.get(suffix);
      if (file === undefined) throw new Error(`the other log has a file ${suffix}`);
      files.set(suffix, Buffer.from(file));
    },
  };
}

function flip(file: Buffer, bit: number): void {
  file[bit >> 3] = (file[bit >> 3] ?? 0) ^ (1 << (bit & 7));
}

function pageOf(file: Buffer, random: () => number): Buffer {
  const at = below(random, file.length / PAGE) * PAGE;
  return Buffer.from(file.subarray(at, at + PAGE));
}

function overPage(file: Buffer, random: () => number, page: () => Buffer): Buffer {
  page().copy(file, below(random, file.length / PAGE) * PAGE);
  return file;
}

function noise(length: number, random: () => number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, () => below(random, 256)));
}
