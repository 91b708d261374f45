/** A source of the configuration with all that belongs to it: its decoder, its counts, its answers. */
import { join } from 'node:path';
import type { SourceHealth } from '../contract/message.ts';
import type { Clock } from './clock.ts';
import type { AgentConfig, SourceConfig } from './config.ts';
import { createDecoder } from './decoder/decoder.ts';
import { createGpioDecoder } from './decoder/gpio.ts';
import type { NodeRequest } from './decoder/reading.ts';
import type { IngestLogger, IngestSource } from './ingest.ts';
import { openFileSource } from './source/file.ts';
import { openGpioSource } from './source/gpio.ts';
import { createNodeAnswers } from './source/node-answers.ts';
import { openSerialSource, type SerialPorts } from './source/serial.ts';
import type { Source } from './source/source.ts';
import { createTally } from './source/tally.ts';

/** `folder`: where the log lies, and what must be kept besides. */
type OpenConfig = SourceConfig & Pick<AgentConfig, 'bindKeys'> & { readonly folder: string };

export function openIngestSource(
  config: OpenConfig,
  ports: SerialPorts,
  clock: Clock,
  logger: IngestLogger,
): IngestSource {
  if ('gpio' in config) {
    const { gpio, lines } = config;
    const source = openGpioSource({ chip: gpio, lines }, { monoNow: ports.monoNow, random: ports.random });
    return { source, decoder: createGpioDecoder(lines), tally: createTally(source.name) };
  }
  const source = 'serial' in config ? openSerialSource(config, ports) : openFileSource(config, ports);
  const opened = { source, decoder: createDecoder(config), tally: createTally(source.name) };
  if (!('serial' in config) || config.format !== 'mysensors' || config.nodeIdsFrom === undefined) return opened;
  return { ...opened, answer: answerer(config.nodeIdsFrom, config.folder, source, clock, logger) };
}

function answerer(firstId: number, folder: string, source: Source, clock: Clock, logger: IngestLogger) {
  const answerNode = createNodeAnswers({
    firstId,
    idFile: join(folder, 'mysensors-ids.json'),
    localSeconds: () => (clock.quality() === 'synced' ? localSeconds(clock.wallNow()) : null),
    monoNow: clock.monoNow,
  });
  return (request: NodeRequest) => {
    try {
      const bytes = answerNode(request);
      if (bytes !== null && source.write?.(bytes) === false) {
        logger.warn({ source: source.name, node: request.node }, 'a node gets no answer: the gateway takes nothing');
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn({ source: source.name, node: request.node }, `a node gets no answer: ${reason}`);
    }
  };
}

/** As controllers tell it: nodes have no time zone. */
function localSeconds(wallMs: number): number {
  return wallMs / 1000 - new Date(wallMs).getTimezoneOffset() * 60;
}

export function sourceHealth({ source, tally, decoder }: IngestSource): SourceHealth {
  const usb = source.usb ?? null;
  return { ...tally.health(), lostSamples: decoder.lostSamples, ...(usb === null ? {} : { usb }) };
}
