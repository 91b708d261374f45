/** `collard agent`: reads collars, logs their events and forwards them, until it is told to stop. */
import { Command, Option } from 'commander';
import { startEarly } from '../agent/log/start-log-thread.ts';
import { LOG_LEVELS } from './logger.ts';
import type { AgentOptions } from './serve-agent.ts';

export function agentCommand(): Command {
  return new Command('agent')
    .description('Read collars, log their events and forward them.')
    .requiredOption('--config <file>', 'agent.yaml')
    .addOption(new Option('--log-level <level>', 'what is told on stderr').choices([...LOG_LEVELS]).default('info'))
    .action(agent)
    .addCommand(keyCommand());
}

/** A start is mostly the reading of modules: the thread of the log reads its own meanwhile. */
async function agent(options: AgentOptions): Promise<void> {
  const thread = startEarly();
  const { serveAgent } = await import('./serve-agent.ts');
  await serveAgent(options, thread);
}

function keyCommand(): Command {
  return new Command('key')
    .description('Print the public key that central enrols, and its id. Makes the key where there is none.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\n--config names agent.yaml, as for the agent itself.')
    .action(async (_own: unknown, command: Command) => {
      const { printAgentKey } = await import('./agent-key.ts');
      await printAgentKey(command.optsWithGlobals());
    });
}
