export { exportCosts, type ExportFormat, type ExportOptions, type ExportResult } from "./app/books/export-costs.ts";
