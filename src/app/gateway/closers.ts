/** What has been opened and must be closed again, the last first: after a stop, and after a start that failed half-way. */
export class Closers {
  private readonly waiting: (() => Promise<void> | void)[] = [];

  add(close: () => Promise<void> | void): void {
    this.waiting.push(close);
  }

  async closeAll(): Promise<void> {
    for (let close = this.waiting.pop(); close !== undefined; close = this.waiting.pop()) await close();
  }
}
