import { fileURLToPath } from 'node:url';

/** Programs of others, with versions of their own: `npm run bench:peers` installs them. */
export const peersFolder = fileURLToPath(new URL('../peers', import.meta.url));
