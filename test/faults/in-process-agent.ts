/** The negative control of `slow-disk`: the same agent with its log in the thread that reads the port. */
import { pino } from 'pino';
import { runAgent } from '../../src/agent/agent.ts';
import { AGENT_SECRETS, agentSchema } from '../../src/agent/config.ts';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { loadConfig } from '../../src/lib/config-file.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';

const { value: config } = loadConfig(process.argv.at(-1) ?? '', agentSchema, {
  env: process.env,
  credentialsDirectory: undefined,
  secrets: AGENT_SECRETS,
});
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const logger = pino(pino.destination({ fd: 2, sync: true }));
await runAgent(config, { openLink: openMqttLink, openLog: openEventLog, logger, version: '0' }, stop.signal);
