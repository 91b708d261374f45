/** `broker` of central's configuration. */
import { z } from 'zod';
import { AGENT_NAME } from '../../contract/topic.ts';
import { ROLES } from './rights.ts';

const MAX_ACCOUNTS = 256;
const HASH = /^\$scrypt\$ln=\d{1,2},r=\d{1,2},p=\d{1,2}\$[\w-]+\$[\w-]+$/;

export const brokerSchema = z
  .strictObject({
    enabled: z.boolean().default(false).describe('central is the broker itself: MQTT 3.1.1, for a house that has none'),
    host: z
      .string()
      .default('127.0.0.1')
      .describe('the address of this machine that it listens on; 0.0.0.0: all. With tls that of TLS, else without'),
    port: z.int().min(0).max(65_535).default(1883).describe('without TLS'),
    tls: z
      .strictObject({
        port: z.int().min(0).max(65_535).default(8883),
        cert: z.string().min(1),
        key: z.string().min(1),
      })
      .optional()
      .describe('its certificate and key, PEM: then only TLS is spoken beyond this machine'),
    local: z
      .enum(['open', 'closed'])
      .default('open')
      .describe('closed: who connects from this machine needs an account too'),
    mdns: z.boolean().default(false).describe('tell this network where it is: collard init and mdns://local find it'),
    accounts: z
      .array(
        z.strictObject({
          name: z.string().regex(AGENT_NAME).describe('the user name; of an agent that of the agent'),
          password: z
            .string()
            .regex(HASH, 'a hash: collard central account NAME prints one')
            .describe('what collard central account prints'),
          may: z
            .enum(ROLES)
            .default('agent')
            .describe('watch: cats and how agents do; home: all that is not of collard, and look on; all: as central'),
        }),
      )
      .max(MAX_ACCOUNTS)
      .default([])
      .describe('who may connect from elsewhere'),
  })
  .superRefine(({ enabled, host, accounts }, context) => {
    const names = accounts.map(({ name }) => name);
    if (new Set(names).size < names.length)
      context.addIssue({ code: 'custom', message: 'each name once', path: ['accounts'] });
    if (enabled && !isLoopback(host) && accounts.length === 0) {
      const message = 'accounts, since it listens beyond this machine: collard central account NAME prints one';
      context.addIssue({ code: 'custom', message, path: ['accounts'] });
    }
  })
  .prefault({});

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
