/** `collard agent`: reads collars, logs their events and forwards them, until it is told to stop. */
import { Command, Option } from 'commander';
import { runAgent } from '../agent/agent.ts';
import { AGENT_SECRETS, agentSchema } from '../agent/config.ts';
import { filesystemOf } from '../agent/forgetful.ts';
import { giveBack } from '../agent/log/give-back.ts';
import { codeOf } from '../agent/log/log-error.ts';
import { loadConfig } from '../lib/config-file.ts';
import { openMqttLink } from '../lib/mqtt-link.ts';
import { runAsService } from './as-service.ts';
import { CommandError, EXIT } from './exit.ts';
import { agentKeyCommand } from './keys.ts';
import { LOG_LEVELS, openLogger } from './logger.ts';
import { tell } from './output.ts';
import { onHangUp, stopOnSignals } from './stop.ts';
import { openServiceManager } from './systemd.ts';
import { version } from './version.ts';

const SETTLED_MS = 5_000;

interface AgentOptions {
  readonly config: string;
  readonly logLevel: string;
}

export function agentCommand(): Command {
  return new Command('agent')
    .description('Read collars, log their events and forward them.')
    .requiredOption('--config <file>', 'agent.yaml')
    .addOption(new Option('--log-level <level>', 'what is told on stderr').choices([...LOG_LEVELS]).default('info'))
    .action(agent)
    .addCommand(agentKeyCommand());
}

async function agent(options: AgentOptions): Promise<void> {
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
  const deps = { openLink: openMqttLink, logger, version: version(), filesystemOf };
  const manager = await openServiceManager(process.env);
  // What reading modules and settings left behind: given back once, by when all is connected.
  const settled = setTimeout(giveBack, SETTLED_MS);
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
    clearTimeout(settled);
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
