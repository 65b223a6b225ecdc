import { Customers } from "./customers.ts";
import { Keys } from "./keys.ts";
import { Records, type ManagementPorts } from "./records.ts";
import { Spend } from "./spend.ts";
import { Teams } from "./teams.ts";
import { Users } from "./users.ts";

export type { ManagementPorts, Standing, View } from "./records.ts";

/** The use cases of the control plane. A call returns once its change is stored, its windows have their history, and the gate applies it. */
export class Management {
  readonly keys: Keys;
  readonly users: Users;
  readonly teams: Teams;
  readonly customers: Customers;
  private readonly spend: Spend;

  constructor(ports: ManagementPorts) {
    const records = new Records(ports);
    const spend = new Spend(records);
    this.spend = spend;
    this.keys = new Keys(records, spend);
    this.users = new Users(records, spend, this.keys);
    this.teams = new Teams(records, spend);
    this.customers = new Customers(records, spend);
  }
  /** Does at a start what a crash left undone. */
  repair(): Promise<void> {
    return this.spend.repair();
  }
}
