export { exportCosts, type ExportFormat, type ExportOptions, type ExportResult, type WritableLike } from "./app/books/export-costs.ts";
