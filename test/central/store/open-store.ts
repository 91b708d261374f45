/** Opens the store at its argument and closes it: one of several that start together. */
import { openStore } from '../../../src/central/open-store.ts';

const store = await openStore({ url: `sqlite:${process.argv[2] ?? ''}` });
await store.close();
