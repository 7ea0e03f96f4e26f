DROP TABLE studio.composed_cuts;
