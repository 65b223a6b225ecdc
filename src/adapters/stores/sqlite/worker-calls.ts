import { Worker } from "node:worker_threads";
import { errorOf, type WorkerAnswer } from "./messages.ts";

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

type Notice = Exclude<WorkerAnswer, { id: number }>;

/** A worker thread and the calls that wait for its answers. */
export class WorkerCalls {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;
  private ended: Error | undefined;
  private terminated = false;

  /** @param name of the module beside this one, without its extension: `.ts` from source, `.js` when built */
  constructor(name: string, path: string, listeners: { notice?(notice: Notice): void; ended(error: Error): void }) {
    const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
    this.worker = new Worker(new URL(`./${name}${extension}`, import.meta.url), { workerData: { path } });
    this.worker.on("message", (message: WorkerAnswer) => {
      if (message.type === "answer" || message.type === "failure") this.settle(message);
      else listeners.notice?.(message);
    });
    let thrown: Error | undefined;
    this.worker.on("error", (error: Error) => { thrown = error; });
    // Told here and not before: until then the thread may hold the file.
    this.worker.on("exit", (code) => {
      this.end(thrown ?? new Error(this.terminated ? "The ledger is closed." : `The ledger's thread ended by itself, with code ${code}.`));
      if (!this.terminated) listeners.ended(this.ended as Error);
    });
  }

  call(request: object): Promise<unknown> {
    if (this.ended !== undefined) return Promise.reject(this.ended);
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ ...request, id });
    });
  }

  post(message: object): void {
    this.worker.postMessage(message);
  }

  get hasEnded(): boolean {
    return this.ended !== undefined;
  }

  async terminate(): Promise<void> {
    this.terminated = true;
    await this.worker.terminate();
  }

  private settle(message: Extract<WorkerAnswer, { id: number }>): void {
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.type === "answer") waiting?.resolve(message.value);
    else waiting?.reject(errorOf(message.error));
  }

  private end(error: Error): void {
    this.ended ??= error;
    for (const waiting of this.waiting.values()) waiting.reject(this.ended);
    this.waiting.clear();
  }
}
