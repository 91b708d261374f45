/** What the store promises of retained messages: which ones a broker may hold for us, so that they can be taken back. */
export interface ToldStore {
  /** Their topics. */
  toldTopics(): Promise<readonly string[]>;
  /** Before they are sent for the first time. Known ones are left alone. */
  rememberTold(topics: readonly string[]): Promise<void>;
  /** The broker has cleared it. */
  forgetTold(topic: string): Promise<void>;
}
