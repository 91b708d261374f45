/**
 * One MQTT connection, from CONNECT to its end. It never reconnects, queues or replays: a loop opens the next link.
 * MQTT 5 first, 3.1.1 when the broker refuses 5.
 */
import type { Queue } from './queue.ts';

export interface LinkOptions {
  readonly url: string;
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** PEM texts. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** false: the broker keeps our subscriptions and messages for `sessionExpirySeconds`. */
  readonly cleanStart: boolean;
  readonly sessionExpirySeconds: number;
  readonly keepaliveSeconds: number;
  readonly connectTimeoutMs: number;
  readonly will?: { readonly topic: string; readonly payload: string } | undefined;
  /** At most so many messages wait for the loop; then the broker is held back. */
  readonly incomingLimit: number;
}

export interface Incoming {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retained: boolean;
  /** Lets PUBACK go out. Must be called once for each message; after the link's end it does nothing. */
  readonly done: () => void;
}

export type Published =
  | { readonly ok: true }
  /** The broker took it and has no subscriber (MQTT 5, reason 0x10), or refused it. */
  | { readonly ok: false; readonly reasonCode: number; readonly reason: string };

export interface MqttLink {
  readonly protocol: '5' | '3.1.1';
  readonly sessionPresent: boolean;
  /** The broker's Receive Maximum; 65 535 where it names none. */
  readonly receiveMaximum: number;
  /** The broker's Maximum Packet Size; Infinity where it names none. */
  readonly maxPacketBytes: number;
  /** Resolves at PUBACK (QoS 1) or when written (QoS 0). Rejects when the link ends first: "unknown". */
  publish(
    topic: string,
    payload: string,
    options: { readonly qos: 0 | 1; readonly retain: boolean },
  ): Promise<Published>;
  /** Resolves at SUBACK. Rejects with code SUBSCRIBE_REFUSED naming the topic. */
  subscribe(topics: readonly string[]): Promise<void>;
  readonly incoming: Queue<Incoming>;
  /** Resolves when the link has ended, with the reason; null after our own close(). */
  readonly ended: Promise<Error | null>;
  /** DISCONNECT, so that no will is sent. Resolves within 1 s. */
  close(): Promise<void>;
}

/** `code`: REFUSED (credentials, identifier: retrying is vain until somebody acts), UNREACHABLE, TLS. */
export interface LinkError extends Error {
  readonly code: 'REFUSED' | 'UNREACHABLE' | 'TLS';
}

export type OpenLink = (options: LinkOptions, signal: AbortSignal) => Promise<MqttLink>;
