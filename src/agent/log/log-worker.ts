/** The thread that owns the log's file. Started by `open-log-worker.ts`; what it does there is in `serve-log.ts`. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { giveBack } from './give-back.ts';
import { type LogStart, serveLog } from './serve-log.ts';

await serveLog(parentPort as MessagePort, workerData as LogStart);
giveBack();
