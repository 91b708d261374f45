/** Asks for the cats of its second argument at each time that it reads, and tells which of them it may look at. */
import { createInterface } from 'node:readline';
import { openStore } from '../../../src/central/open-store.ts';

const [, , url = '', cats = '[]'] = process.argv;
const store = await openStore({ url });
for await (const line of createInterface({ input: process.stdin })) {
  const wanted = (JSON.parse(cats) as number[]).map((catId) => ({ catId, lastMs: null }));
  const claims = await store.claimChecks(wanted, Number(line), 1_000);
  const allowed = [...claims].filter(([, { type }]) => type !== 'taken').map(([catId]) => catId);
  process.stdout.write(`${JSON.stringify(allowed)}\n`);
}
await store.close();
