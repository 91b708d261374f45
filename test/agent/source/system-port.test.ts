import { describe, expect, it, onTestFinished } from 'vitest';
import { createSystemPort, HOLD_MS, READ_BYTES } from '../../../src/agent/source/system-port.ts';
import { openPty } from '../../../src/simulator/pty.ts';

const whyNoPty = (() => {
  try {
    void openPty().close();
    return null;
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    return String(error);
  }
})();

/** An open port of a kernel terminal, and what has come out of it. */
async function open() {
  const pty = openPty();
  const port = createSystemPort(pty.path, 115_200);
  const got: Uint8Array[] = [];
  const errors: string[] = [];
  port.on('data', (bytes) => got.push(bytes));
  port.on('error', (error) => errors.push(String(error)));
  await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
  onTestFinished(async () => {
    if (port.isOpen) await new Promise((resolve) => port.close(resolve));
    await pty.close();
  });
  return { pty, port, got, errors, bytes: () => Buffer.concat(got) };
}

async function writeAll(pty: { write(bytes: Uint8Array): Promise<number> }, bytes: Uint8Array): Promise<void> {
  for (let from = 0; from < bytes.length; ) {
    from = bytes.length - (await pty.write(bytes.subarray(from)));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe.skipIf(whyNoPty !== null)('a port of the system', () => {
  it('gives every byte in order, however many come at once', async () => {
    const { pty, bytes, errors } = await open();
    const sent = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) % 256));
    await writeAll(pty, sent);
    await expect.poll(() => bytes().length, { timeout: 30_000 }).toBe(sent.length);
    expect(bytes().equals(sent)).toBe(true);
    expect(errors).toEqual([]);
  });

  it('takes together what comes within a rest', async () => {
    const { pty, got, bytes } = await open();
    const sent = Buffer.from('{"collar":"C0FFEE01"}\n'.repeat(40));
    for (const byte of sent) await pty.write(Uint8Array.of(byte));
    await expect.poll(() => bytes().length, { timeout: 30_000 }).toBe(sent.length);
    expect(bytes().equals(sent)).toBe(true);
    expect(got.length).toBeLessThan(sent.length / 2);
  });

  it('keeps what it gave, whatever comes after it', async () => {
    const { pty, got, bytes } = await open();
    await pty.write(Buffer.from('first'));
    await expect.poll(() => bytes().toString(), { timeout: 30_000 }).toBe('first');
    await pty.write(Buffer.from('other'));
    await expect.poll(() => bytes().toString(), { timeout: 30_000 }).toBe('firstother');
    expect(Buffer.from(got[0] ?? []).toString()).toBe('first');
  });

  it('leaves with the kernel what there is no room for, and reads it then', async () => {
    const { pty, port, bytes } = await open();
    let room = 0;
    const asked: number[] = [];
    port.holdUnless?.((count) => {
      asked.push(count);
      return count <= room;
    });
    await pty.write(Buffer.from('waits'));
    await expect.poll(() => asked.length, { timeout: 30_000 }).toBeGreaterThan(2);
    expect(bytes().length).toBe(0);
    room = READ_BYTES;
    await expect.poll(() => bytes().toString(), { timeout: 30_000 }).toBe('waits');
    expect(new Set(asked)).toEqual(new Set([READ_BYTES]));
  });

  it('does not leave it there for long: what is dropped is to be counted', async () => {
    const { pty, port, bytes } = await open();
    let asked = 0;
    port.holdUnless?.(() => {
      asked += 1;
      return false;
    });
    await pty.write(Buffer.from('too much'));
    await expect.poll(() => bytes().toString(), { timeout: 30_000 }).toBe('too much');
    expect(asked).toBeGreaterThanOrEqual(HOLD_MS / 5);
    // Once it is too long nothing is held before there was room again.
    const before = asked;
    await pty.write(Buffer.from(' and more'));
    await expect.poll(() => bytes().toString(), { timeout: 30_000 }).toBe('too much and more');
    expect(asked - before).toBeLessThan(HOLD_MS / 10);
  });

  it('tells that the device has gone', async () => {
    const { pty, port, errors } = await open();
    await pty.close();
    await expect.poll(() => errors.length, { timeout: 30_000 }).toBe(1);
    expect(errors[0]).toMatch(/i\/o error|EIO|hung up/);
    await new Promise((resolve) => port.close(resolve));
    expect(errors).toHaveLength(1);
  });

  it('is quiet once it is closed, also while it rests, and can be opened anew by another', async () => {
    const { pty, port, got, errors, bytes } = await open();
    await pty.write(Buffer.from('x'));
    await expect.poll(() => bytes().toString(), { timeout: 30_000 }).toBe('x');
    await new Promise((resolve) => port.close(resolve));
    const count = got.length;
    const next = createSystemPort(pty.path, 9_600);
    const heard: string[] = [];
    next.on('data', (part) => heard.push(Buffer.from(part).toString()));
    await new Promise<void>((resolve, reject) => next.open((error) => (error ? reject(error) : resolve())));
    await pty.write(Buffer.from('for the next'));
    await expect.poll(() => heard.join(''), { timeout: 30_000 }).toBe('for the next');
    await new Promise((resolve) => next.close(resolve));
    expect(got).toHaveLength(count);
    expect(errors).toEqual([]);
  });

  it('writes, and says why it cannot be opened', async () => {
    const { port } = await open();
    await new Promise<void>((resolve, reject) =>
      port.write(Buffer.from('answer'), (error) => (error ? reject(error) : resolve())),
    );
    const missing = createSystemPort('/dev/collard-has-no-such-port', 9_600);
    const error = await new Promise<Error | null>((resolve) => missing.open(resolve));
    expect(String(error)).toMatch(/No such file/);
    expect(missing.isOpen).toBe(false);
  });
});
