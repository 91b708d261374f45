/** An agent as a service, from its configuration to its exit. Apart from its command line, which starts what takes long beside it. */
import type { Worker } from 'node:worker_threads';
import { type AgentDeps, runAgent } from '../agent/agent.ts';
import { AGENT_SECRETS, agentSchema } from '../agent/config.ts';
import { filesystemOf } from '../agent/forgetful.ts';
import { giveBackLater } from '../agent/log/give-back.ts';
import { codeOf } from '../agent/log/log-error.ts';
import { openLogWorker } from '../agent/log/open-log-worker.ts';
import { explainPlain } from '../broker/plain.ts';
import { loadConfig } from '../lib/config-file.ts';
import { openMqttLink } from '../lib/mqtt-link.ts';
import { runAsService } from './as-service.ts';
import { CommandError, EXIT } from './exit.ts';
import { openLogger } from './logger.ts';
import { tell } from './output.ts';
import { onHangUp, stopOnSignals } from './stop.ts';
import { openServiceManager } from './systemd.ts';
import { version } from './version.ts';

export interface AgentOptions {
  readonly config: string;
  readonly logLevel: string;
}

/** `thread` gives the thread of the log. Resolves when it has been told to stop and all is closed. */
export async function serveAgent(options: AgentOptions, thread: () => Worker): Promise<void> {
  const load = () => {
    const { value, warnings } = loadConfig(options.config, agentSchema, {
      env: process.env,
      credentialsDirectory: process.env.CREDENTIALS_DIRECTORY,
      secrets: AGENT_SECRETS,
    });
    for (const warning of warnings) tell(`warning: ${warning}`);
    return value;
  };
  const first = load();
  const stop = stopOnSignals();
  const logger = await openLogger(options.logLevel);
  for (const warning of explainPlain(first)) logger.warn(warning);
  const openLog: AgentDeps['openLog'] = (log, ports, signal) => openLogWorker(log, { ...ports, thread }, signal);
  const deps = { openLink: openMqttLink, openLog, logger, version: version(), filesystemOf };
  const manager = await openServiceManager(process.env);
  // What reading modules and settings left behind.
  const callOff = giveBackLater();
  try {
    await runAsService(
      {
        manager,
        first,
        load,
        run: (config, { ready }, signal) => runAgent(config, { ...deps, onRunning: ready }, signal),
        logger,
        onReload: onHangUp,
      },
      stop,
    );
  } catch (error) {
    throw asFailure(error);
  } finally {
    callOff();
  }
}

/** Where the agent ends with something that a person can mend. The messages of the log name the fix themselves. */
export function asFailure(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const code = codeOf(error);
  const fail = (exitCode: number) => new CommandError(exitCode, error.message, null, { cause: error });
  if (code === 'LOG_IN_USE') return fail(EXIT.unavailable);
  if (/^PLACES_/.test(code)) return fail(EXIT.config);
  if (/^LOG_(OTHER_AGENT|FOREIGN|NEWER|UNSAFE)$/.test(code)) return fail(EXIT.config);
  if (/^(LOG_|SQLITE_|E[A-Z]+$)/.test(code)) return fail(EXIT.io);
  return error;
}
