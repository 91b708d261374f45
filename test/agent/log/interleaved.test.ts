/** What comes to a log while a write of it waits or has failed. */
import Database from 'better-sqlite3';
import { expect, it, onTestFinished } from 'vitest';
import type { Lost } from '../../../src/agent/log/begin.ts';
import { event, levels, openLog, tempPath } from './log-fixture.ts';

/** The connection of the log that `open` opens. */
async function withConnection<T>(open: () => Promise<T>): Promise<{ readonly log: T; readonly db: Database.Database }> {
  const real = Database.prototype.pragma;
  let found: Database.Database | undefined;
  onTestFinished(() => {
    Database.prototype.pragma = real;
  });
  Database.prototype.pragma = function (this: Database.Database, source, options) {
    if (source === 'synchronous = FULL') found = this;
    return real.call(this, source, options);
  };
  const log = await open();
  Database.prototype.pragma = real;
  return { log, db: found as Database.Database };
}

const moves = (tag: string, count: number) =>
  Array.from({ length: count }, (_, i) => event('cat.moved', { from: null, to: `${tag} ${i} ${'x'.repeat(300)}` }));

it('an append that waits for room while another epoch begins is of the epoch in which it is written', async () => {
  const { log, db } = await withConnection(() => openLog(tempPath()));
  await log.append(moves('old', 300));
  // Worth less than a move: it goes first where there is no room.
  const failures = Array.from({ length: 300 }, (_, i) =>
    event('sensor.failed', { source: 's', reason: `${i} ${'r'.repeat(200)}` }),
  );
  for (let i = 0; i < 10; i += 1) await log.append(failures);
  const old = log.epochs().at(-1)?.epoch ?? '';
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.pragma(`max_page_count = ${String(db.pragma('page_count', { simple: true }))}`);
  const [appended, epoch] = await Promise.all([log.append(moves('new', 200)), log.startEpoch('mark above the log')]);
  expect(log.epochs().map((one) => one.epoch)).toEqual([old, epoch]);
  const [first] = await log.read(appended.epoch, appended.firstSeq, appended.lastSeq, 1, 1_000_000);
  expect(first).toMatchObject({
    epoch: appended.epoch,
    seq: appended.firstSeq,
    data: expect.stringContaining('new 0 '),
  });
  await log.close();
});

it('a mark that comes after a commit that failed makes the witness know of nothing that was not logged', async () => {
  const path = tempPath();
  const before = await openLog(path);
  const { epoch } = await before.append(levels(10));
  await before.close();
  const spoilt = new Database(path);
  // What fails at the commit, as a flush does.
  spoilt.exec(`CREATE TABLE p (id INTEGER PRIMARY KEY);
    CREATE TABLE c (id INTEGER REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER fails AFTER INSERT ON chain WHEN new.pos > 10 BEGIN INSERT INTO c VALUES (7); END;`);
  spoilt.close();
  const log = await openLog(path);
  await expect(log.append(levels(4))).rejects.toThrow('FOREIGN KEY');
  log.saveMark(epoch, 3, 'store');
  await log.close();
  const mended = new Database(path);
  mended.exec('DROP TRIGGER fails; DROP TABLE c; DROP TABLE p');
  mended.close();
  const lost: Lost[] = [];
  const again = await openLog(path, {}, { onLost: (one) => lost.push(one) });
  expect(lost).toEqual([]);
  expect(again.epochs()).toMatchObject([{ epoch, lastSeq: 10 }]);
  await again.close();
});
