/** The thread that owns the log's file. Started by `start-log-thread.ts`; what it does there is in `serve-log.ts`. */
import { once } from 'node:events';
import { type MessagePort, parentPort } from 'node:worker_threads';
import { giveBackLater } from './give-back.ts';
import { type LogStart, serveLog } from './serve-log.ts';

const port = parentPort as MessagePort;
const [start] = (await once(port, 'message')) as [LogStart];
await serveLog(port, start);
giveBackLater();
