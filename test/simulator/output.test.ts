import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { openOutput, streamOutput } from '../../src/simulator/output.ts';

const folder = mkdtempSync(join(tmpdir(), 'collard-output-'));
afterAll(() => rmSync(folder, { recursive: true }));
const never = new AbortController().signal;

function failing(code: string): Writable {
  return new Writable({ write: (_, __, done) => done(Object.assign(new Error(code), { code })) });
}

describe('output', () => {
  it('replaces what a file held', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'something longer');
    const output = await openOutput(path, never);
    expect(await output.write(Buffer.from('new'))).toBe(true);
    await output.close();
    expect(output.isPort).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe('new');
  });

  it('knows a device', async () => {
    const output = await openOutput('/dev/null', never);
    expect(output.isPort).toBe(true);
    expect(await output.write(Buffer.alloc(10))).toBe(true);
    await output.close();
  });

  it('rejects with the code of the system', async () => {
    await expect(openOutput(join(folder, 'no', 'file'), never)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('waits for a stream, and no longer than its signal', async () => {
    const stop = new AbortController();
    const stuck = new PassThrough({ highWaterMark: 1 });
    const output = streamOutput(stuck, stop.signal);
    stuck.cork();
    const written = output.write(Buffer.alloc(100));
    stop.abort();
    expect(await written).toBe(false);
    expect(await output.write(Buffer.alloc(100))).toBe(false);
  });

  it('takes a closed pipe for an end, and anything else for an error', async () => {
    expect(await streamOutput(failing('EPIPE'), never).write(Buffer.alloc(1))).toBe(false);
    await expect(streamOutput(failing('EIO'), never).write(Buffer.alloc(1))).rejects.toMatchObject({ code: 'EIO' });
  });
});
