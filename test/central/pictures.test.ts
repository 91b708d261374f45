import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { MAX_PICTURE_BYTES, openPictures } from '../../src/central/pictures.ts';
import { startServing } from './api/serving.ts';

const PNG = Buffer.from('89504e470d0a1a0a0000', 'hex');
const JPEG = Buffer.from('ffd8ffe000', 'hex');
const WEBP = Buffer.from('524946460000000057454250', 'hex');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-pictures-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
});
const put = (name: string, bytes: Buffer) => writeFileSync(join(folder, name), bytes);
const mia = { id: 1, name: 'Mia' };
const tom = { id: 2, name: 'Tom' };

describe('pictures of cats', () => {
  test('are files of their number or name, and are what their bytes say', async () => {
    put('mia.PNG', JPEG);
    put('2.webp', WEBP);
    const pictures = openPictures(folder);
    expect((await pictures.list([mia, tom, { id: 3, name: 'Leo' }])).map(({ catId }) => catId)).toEqual([1, 2]);
    expect(await pictures.read(mia)).toEqual({ type: 'image/jpeg', bytes: JPEG });
    expect((await pictures.read(tom))?.type).toBe('image/webp');
    put('1.png', PNG);
    expect((await pictures.read(mia))?.type).toBe('image/png');
  });

  test('have another version once they are replaced', async () => {
    put('1.png', PNG);
    const pictures = openPictures(folder);
    const [before] = await pictures.list([mia]);
    put('1.png', Buffer.concat([PNG, PNG]));
    const [after] = await pictures.list([mia]);
    expect(before?.version).not.toBe(after?.version);
  });

  test('are none where they are too large, no picture, a link, or outside of their folder', async () => {
    put('1.png', Buffer.concat([PNG, Buffer.alloc(MAX_PICTURE_BYTES)]));
    put('2.png', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'));
    put('secret', PNG);
    symlinkSync(join(folder, 'secret'), join(folder, '3.png'));
    put('4.svg', PNG);
    const pictures = openPictures(folder);
    for (const id of [1, 2, 3, 4]) expect(await pictures.read({ id, name: `cat ${id}` })).toBeNull();
    expect(await pictures.read({ id: 9, name: '../secret' })).toBeNull();
    expect(await openPictures(undefined).read(mia)).toBeNull();
    expect(await openPictures('/none').list([mia])).toEqual([]);
  });

  test('are served with their type and nothing else, and kept by the browser under their version', async () => {
    put('Mia.png', PNG);
    const central = await startServing({ pictures: folder });
    onTestFinished(() => central.stop());
    await central.call('POST', 'api/v1/cats', { name: 'Mia' });
    await central.call('POST', 'api/v1/cats', { name: 'Tom' });
    const { body } = await central.call('GET', 'api/v1/pictures');
    expect(body.pictures).toEqual([{ catId: 1, version: expect.any(String) }]);
    const response = await fetch(new URL(`api/v1/cats/1/picture?v=${body.pictures[0].version}`, central.url));
    expect(Buffer.from(await response.arrayBuffer())).toEqual(PNG);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'image/png',
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, max-age=31536000, immutable',
    });
    expect((await central.call('GET', 'api/v1/cats/2/picture')).status).toBe(404);
    expect((await central.call('GET', 'api/v1/cats/9/picture')).status).toBe(404);
  });
});
